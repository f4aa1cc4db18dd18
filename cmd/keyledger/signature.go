package main

import (
	"os"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

type signatureCommands struct {
	Check signatureCheck `cmd:"" help:"Judge captured requests with the secrets and times that stand beside them."`
}

type signatureCheck struct {
	File    string `arg:"" help:"A JSON array of requests."`
	Explain bool   `help:"Print the canonical request and the string to sign of each."`
}

// Help says what the file holds.
func (*signatureCheck) Help() string {
	return `Each request is an object with name, access_key_id, secret, method, request_target,
host, headers (an array of pairs), body_base64, verify_at (the unix time to judge it at) and
valid (the verdict it deserves); other fields are passed over. With client_string_to_sign or
client_canonical_request, what the client says that it signed, --explain shows where it first
differs from what the server would have. Replays are not noticed: each is
judged by itself. The file holds secrets in the clear.`
}

// Run judges the requests of the file.
func (s *signatureCheck) Run(t *terminal) error {
	f, err := os.Open(s.File)
	if err != nil {
		return usage("the file cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	vectors, err := vector.Load(f)
	if err != nil {
		return usage("%s: %v", s.File, err)
	}
	differing, err := s.report(t, vectors)
	if err != nil {
		return err
	}
	if differing > 0 {
		return fail(exitDiffers, codeDiffers, "%d of %d verdicts differ from the file's", differing, len(vectors))
	}
	return nil
}

// A judged is a request of the file and what became of it.
type judged struct {
	Name             string `json:"name"`
	Agrees           bool   `json:"agrees"` // with the file
	Valid            bool   `json:"valid"`
	Reason           string `json:"reason,omitempty"`
	Detail           string `json:"detail,omitempty"`
	CanonicalRequest string `json:"canonical_request,omitempty"`
	StringToSign     string `json:"string_to_sign,omitempty"`

	Differences []dialect.Departure `json:"differences,omitempty"` // of what the client says that it signed
}

func (s *signatureCheck) report(t *terminal, vectors []vector.Vector) (differing int, err error) {
	if !t.json {
		return vector.Report(t.out, vectors, builtin.Schemes(), s.Explain)
	}
	items := make([]judged, len(vectors))
	for i, v := range vectors {
		j := vector.Judge(v, builtin.Schemes())
		items[i] = judged{Name: v.Name, Agrees: j.Valid == v.Valid, Valid: j.Valid, Reason: j.Reason, Detail: j.Detail}
		if s.Explain {
			items[i].CanonicalRequest, items[i].StringToSign = string(j.CanonicalRequest), string(j.StringToSign)
			items[i].Differences = dialect.Departures([]byte(v.ClientCanonicalRequest), []byte(v.ClientStringToSign), j.CanonicalRequest, j.StringToSign)
		}
		if !items[i].Agrees {
			differing++
		}
	}
	return differing, t.writeValue(map[string][]judged{"items": items})
}
