package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// answerVerify answers POST /v1/verify as the framework would, in a fifth of the time: gateways ask it for each
// request of theirs. It takes only what is plainly as the API document says, so that there is one place that
// says what is wrong with a request, the framework; done is false where that has to read it.
func (s *server) answerVerify(w http.ResponseWriter, r *http.Request, body []byte, asker inbound) (done bool) {
	if r.URL.RawQuery != "" || !onlyJSON(r.Header) {
		return false
	}
	in, ok := readSignedRequest(string(body))
	if !ok {
		return false
	}
	v, err := s.verdict(r.Context(), asker, &in)
	if err != nil {
		p := s.logged(err, asker.request.ID)
		p.RequestID = string(asker.request.ID)
		writeProblem(w, p)
		return true
	}
	var room [512]byte
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(v.append(room[:0]))
	return true
}

// onlyJSON says whether a request has its body in JSON and wants the answer so, in the words of most clients.
func onlyJSON(h http.Header) bool {
	sent, wanted := h["Content-Type"], h["Accept"]
	return len(sent) == 1 && sent[0] == "application/json" &&
		(len(wanted) == 0 || len(wanted) == 1 && (wanted[0] == "*/*" || wanted[0] == "application/json"))
}

// readSignedRequest reads a signedRequest that is within the bounds of the API document. It may decline what is,
// and accepts nothing that is not, or that two readers could read differently: see [wellFormed].
func readSignedRequest(body string) (in signedRequest, ok bool) {
	s := scanner{rest: body}
	var sent, sum string
	fields := [...]struct {
		name              string
		into              *string
		shortest, longest int
	}{
		{"method", &in.Method, 1, 32}, {"target", &in.Target, 1, maxBody}, {"host", &in.Host, 1, 512}, // required
		{"base_host", &in.BaseHost, 0, 512}, {"body_base64", &sent, 0, maxBody}, {"body_sha256", &sum, 0, maxBody},
		{"source_ip", &in.SourceIP, 0, maxBody}, {"service", &in.Service, 0, 128}, {"action", &in.Action, 0, 128},
	}
	var seen [len(fields)]bool
	for name := range s.members {
		if name == "headers" && in.Headers == nil {
			in.Headers = s.headerLines()
			continue
		}
		i := 0
		for i < len(fields) && (fields[i].name != name || seen[i]) {
			i++
		}
		if i == len(fields) { // unknown, or given twice
			return in, false
		}
		f := &fields[i]
		seen[i], *f.into = true, s.text(f.shortest, f.longest)
	}
	if seen[4] {
		in.BodyBase64 = new(sent)
	}
	if seen[5] {
		in.BodySHA256 = new(sum)
	}
	return in, s.ended() && seen[0] && seen[1] && seen[2] && utf8.ValidString(body)
}

// maxHeaderLines is how many header lines a signedRequest may have.
const maxHeaderLines = 200

func (s *scanner) headerLines() []headerLine {
	lines := make([]headerLine, 0, 16)
	for range s.elements {
		var line headerLine
		var named, valued bool
		for name := range s.members {
			switch {
			case name == "name" && !named:
				line.Name, named = s.text(1, 256), true
			case name == "value" && !valued:
				line.Value, valued = s.text(0, maxBody), true
			default:
				s.failed = true
			}
		}
		lines = append(lines, line)
		s.failed = s.failed || !named || !valued || len(lines) > maxHeaderLines
	}
	return lines
}

// append appends the JSON of v as the framework writes it.
func (v *verdict) append(b []byte) []byte {
	if !literal(v.Reason) || !literal(v.Detail) || !literal(v.AccessKeyID) || !literal(v.RequestID) { // the others are ours
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		_ = e.Encode(v) // it holds strings and numbers only
		return append(b, out.Bytes()...)
	}
	b = strconv.AppendBool(append(b, `{"allowed":`...), v.Allowed)
	b = strconv.AppendBool(append(b, `,"genuine":`...), v.Genuine)
	b = appendMember(b, `,"reason":"`, v.Reason)
	b = appendMember(b, `,"detail":"`, v.Detail)
	b = appendMember(b, `,"account_id":"`, v.AccountID)
	b = appendMember(b, `,"user_id":"`, v.UserID)
	b = appendMember(b, `,"access_key_id":"`, v.AccessKeyID)
	b = appendMember(b, `,"scheme":"`, v.Scheme)
	if v.Restricted {
		b = append(b, `,"restricted":true`...)
	}
	b = strconv.AppendUint(append(b, `,"position":`...), v.Position, 10)
	return append(append(append(b, `,"request_id":"`...), v.RequestID...), "\"}\n"...)
}

// appendMember appends a member and its value, unless that is empty.
func appendMember(b []byte, begin, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(append(b, begin...), value...), '"')
}

// literal says whether s stands in JSON as it is.
func literal(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
