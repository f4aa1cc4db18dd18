package main

import (
	"os"

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
	differing, err := vector.Report(t.out, vectors, builtin.Schemes(), s.Explain)
	if err != nil {
		return err
	}
	if differing > 0 {
		return fail(exitDiffers, codeDiffers, "%d of %d verdicts differ from the file's", differing, len(vectors))
	}
	return nil
}
