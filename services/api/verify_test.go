package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

// A foreign request is one to somebody's own service, as its gateway saw it.
type foreign map[string]any

// signedBy is a request to a photo service, signed by a key.
func signedBy(t *testing.T, c client, body string) foreign {
	t.Helper()
	return signedAt(t, c, body, time.Now())
}

func signedAt(t *testing.T, c client, body string, at time.Time) foreign {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", "https://photos.example.com/albums/7%20a?size=full", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "image/png")
	aws.Sign(req, []byte(body), c.id, c.secret, "photos", "local", at)
	out := foreign{"method": "PUT", "target": "/albums/7%20a?size=full", "host": "photos.example.com", "source_ip": "198.51.100.7", "action": "PutPhoto"}
	var lines []any
	for name, values := range req.Header {
		lines = append(lines, map[string]any{"name": name, "value": values[0]})
	}
	out["headers"] = lines
	if body != "" {
		out["body_base64"] = base64.StdEncoding.EncodeToString([]byte(body))
	}
	return out
}

func (f foreign) with(name string, value any) foreign {
	out := foreign{}
	for n, v := range f {
		out[n] = v
	}
	out[name] = value
	return out
}

func (f foreign) json() string {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err)
	}
	return string(text)
}

type verdict struct {
	Allowed     bool   `json:"allowed"`
	Genuine     bool   `json:"genuine"`
	Reason      string `json:"reason"`
	AccountID   string `json:"account_id"`
	UserID      string `json:"user_id"`
	AccessKeyID string `json:"access_key_id"`
	Scheme      string `json:"scheme"`
	Restricted  bool   `json:"restricted"`
	Position    uint64 `json:"position"`
	RequestID   string `json:"request_id"`
}

func (c client) verify(t *testing.T, f foreign) verdict {
	t.Helper()
	return decode[verdict](t, c.do(t, "POST", "/v1/verify", f.json()).ok(t, 200))
}

func TestVerify(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k := a.create(t, u)
	whole := signedBy(t, k, "a picture")
	sum := sha256.Sum256([]byte("a picture"))
	bySum := whole.with("body_sha256", hex.EncodeToString(sum[:]))
	delete(bySum, "body_base64")
	for name, f := range map[string]foreign{"the body": whole, "its sum": bySum, "no body": signedBy(t, k, "")} {
		got := k.verify(t, f)
		if !got.Allowed || !got.Genuine || got.Reason != "" || got.AccessKeyID != k.id || got.AccountID != a.id || got.UserID != u ||
			got.Scheme != "AWS4-HMAC-SHA256" || got.Position == 0 || got.RequestID == "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	other := sha256.Sum256([]byte("another picture"))
	for name, f := range map[string]foreign{
		"another method":     whole.with("method", "GET"),
		"another path":       whole.with("target", "/albums/8?size=full"),
		"another query":      whole.with("target", "/albums/7%20a?size=small"),
		"another host":       whole.with("host", "videos.example.com"),
		"another body":       whole.with("body_base64", "YQ=="),
		"a sum of another":   bySum.with("body_sha256", hex.EncodeToString(other[:])),
		"a header forgotten": whole.with("headers", whole["headers"].([]any)[1:]),
	} {
		if got := k.verify(t, f); got.Allowed || got.Genuine || got.Reason == "" {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if got := k.verify(t, foreign{"method": "GET", "target": "/", "host": "x"}); got.Reason != "unsigned" || got.AccessKeyID != "" {
		t.Errorf("unsigned: got %+v", got)
	}
	second := a.create(t, u)
	a.do(t, "PATCH", "/v1/keys/"+second.id, `{"status":"disabled"}`).ok(t, 200)
	if got := k.verify(t, signedBy(t, second, "x")); got.Allowed || !got.Genuine || got.Reason != "key_disabled" {
		t.Errorf("a disabled key of one's own: got %+v", got)
	}
}

// TestVerifyBatch gives one verdict each, in order.
func TestVerifyBatch(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	good := signedBy(t, k, "x")
	body := fmt.Sprintf(`{"requests":[%s,%s,%s]}`, good.json(), good.with("method", "GET").json(), good.json())
	got := decode[page[verdict]](t, k.do(t, "POST", "/v1/verify/batch", body).ok(t, 200)).Items
	if len(got) != 3 || !got[0].Allowed || got[1].Allowed || !got[2].Allowed || got[0].RequestID == got[2].RequestID {
		t.Errorf("got %+v", got)
	}
	refused(t, k.do(t, "POST", "/v1/verify/batch", `{"requests":[]}`), 422, "request.invalid")
	refused(t, k.do(t, "POST", "/v1/verify/batch", `{"requests":null}`), 422, "request.invalid")
	bad := k.do(t, "POST", "/v1/verify/batch", fmt.Sprintf(`{"requests":[%s,%s]}`, good.with("action", "refused").json(), good.with("source_ip", "here").json()))
	if !strings.Contains(string(bad.body), "requests[1]: source_ip") {
		t.Errorf("a bad entry: got %s", bad.body)
	}
	before := decisions(t)
	k.do(t, "POST", "/v1/verify/batch", fmt.Sprintf(`{"requests":[%s,%s]}`, good.json(), good.with("body_sha256", "00").json()))
	if more := decisions(t) - before; more != 1 {
		t.Errorf("a batch that cannot be read took %d decisions, want that about whoever sent it alone", more)
	}
	k.verify(t, good.with("action", "last"))
	for records := ""; !strings.Contains(records, `"last"`); { // until it is known
		records = string(k.get(t, "/v1/keys/"+k.id+"/records").body)
		if strings.Contains(records, `"refused"`) || t.Context().Err() != nil {
			t.Fatal("a batch that was refused has left a record")
		}
	}
	refused(t, k.do(t, "POST", "/v1/verify/batch", `{"requests":[`+strings.Repeat(`{"method":"GET","target":"/","host":"x"},`, 100)+`{"method":"GET","target":"/","host":"x"}]}`), 422, "request.invalid")
}

// decisions is how many the node has taken.
func decisions(t *testing.T) (n int) {
	t.Helper()
	scrape := string(the.root.send(t, call{method: "GET", path: "/metrics", unsigned: true}).ok(t, 200).body)
	for _, m := range regexp.MustCompile(`(?m)^keyledger_verify_duration_seconds_count\{.*\} (\d+)$`).FindAllStringSubmatch(scrape, -1) {
		count, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}

// TestVerifyIsDecidedAnew has one verification sent twice, also under one Idempotency-Key: what has changed between tells, each is
// on record, and the record is found by what its answer was named.
func TestVerifyIsDecidedAnew(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k, asker := a.create(t, u), a.create(t, u)
	body := signedBy(t, k, "x").json()
	first := decode[verdict](t, asker.named(t, "twice", "POST", "/v1/verify", body).ok(t, 200))
	a.do(t, "PATCH", "/v1/keys/"+k.id, `{"status":"disabled"}`).ok(t, 200)
	second := decode[verdict](t, asker.named(t, "twice", "POST", "/v1/verify", body).ok(t, 200))
	batch := decode[page[verdict]](t, asker.do(t, "POST", "/v1/verify/batch", `{"requests":[`+body+`]}`).ok(t, 200)).Items
	if !first.Allowed || second.Reason != "key_disabled" || batch[0].Reason != "key_disabled" {
		t.Errorf("got %+v, then %+v, then %+v", first, second, batch)
	}
	var got []string
	for _, r := range a.records(t, "/v1/keys/"+k.id+"/records", 3) {
		got = append(got, r.Outcome+" "+r.RequestID)
	}
	want := []string{"denied " + batch[0].RequestID, "denied " + second.RequestID, "allowed " + first.RequestID}
	if !slices.Equal(got, want) {
		t.Errorf("on record: got %q, want %q", got, want)
	}
}

// TestVerifyOfOthers has nobody ask about another user's key, whoever he is:
// that is what gateway tokens are for. Whether there is such a key he does not learn.
func TestVerifyOfOthers(t *testing.T) {
	a, b := open(t, "strict", ""), open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	nobody := k
	nobody.id = "KLAK0000000000000000"
	for name, asker := range map[string]client{"the account's root": a.client, "another account": b.client, "the operator": the.root} {
		for what, f := range map[string]foreign{"a key": signedBy(t, k, "x"), "no key": signedBy(t, nobody, "x")} {
			t.Run(name+" about "+what, func(t *testing.T) {
				refused(t, asker.do(t, "POST", "/v1/verify", f.json()), 403, "permission.denied")
				refused(t, asker.do(t, "POST", "/v1/verify", f.with("body_base64", "YQ==").json()), 403, "permission.denied")
			})
		}
	}
}

// TestVerifyBadInput: what no wire carries, and what two readers could read differently, is refused at every door in
// the same words.
func TestVerifyBadInput(t *testing.T) {
	a := open(t, "strict", "")
	plain := foreign{"method": "GET", "target": "/", "host": "x"}
	sum := strings.Repeat("00", 32)
	line := func(name, value string) any { return []any{map[string]any{"name": name, "value": value}} }
	for name, f := range map[string]foreign{
		"no method":             {"target": "/", "host": "x"},
		"not base64":            plain.with("body_base64", "a b"),
		"unpadded base64":       plain.with("body_base64", "YQ"),
		"base64 of another end": plain.with("body_base64", "YR=="),
		"base64 in lines":       plain.with("body_base64", "YWJj\r\nYWJj"),
		"base64 and a line end": plain.with("body_base64", "YWJj\n"),
		"base64 of URLs":        plain.with("body_base64", "_-__"),
		"a short sum":           plain.with("body_sha256", "ab"),
		"a long sum":            plain.with("body_sha256", sum+"00"),
		"an empty sum":          plain.with("body_sha256", ""),
		"no digits":             plain.with("body_sha256", strings.Repeat("zz", 32)),
		"both":                  plain.with("body_sha256", sum).with("body_base64", ""),
		"both, one empty":       plain.with("body_sha256", "").with("body_base64", ""),
		"no address":            plain.with("source_ip", "example.com"),
		"a zone":                plain.with("source_ip", "fe80::1%eth0"),
		"a network":             plain.with("source_ip", "192.0.2.0/24"),
		"unknown":               plain.with("colour", "red"),
		"another case":          plain.with("Action", "x"),
		"a method of two":       plain.with("method", "GET /"),
		"a relative target":     plain.with("target", "a"),
		"an absolute target":    plain.with("target", "http://x/"),
		"an asterisk":           plain.with("target", "*"),
		"a space in the target": plain.with("target", "/a b"),
		"a line end there":      plain.with("target", "/\n"),
		"a user of a host":      plain.with("host", "me@x"),
		"a path of a host":      plain.with("host", "x/y"),
		"a space in the host":   plain.with("host", "x "),
		"two hosts":             plain.with("headers", line("host", "y")),
		"a header of none":      plain.with("headers", line("", "x")),
		"a space in a name":     plain.with("headers", line("X Y", "x")),
		"a space behind a name": plain.with("headers", line("Host ", "x")),
		"a colon in a name":     plain.with("headers", line("X:", "x")),
		"a line end in a value": plain.with("headers", line("X", "x\nY:y")),
		"NUL in a value":        plain.with("headers", line("X", "x\x00")),
		"a value of none":       plain.with("headers", []any{map[string]any{"name": "X", "value": nil}}),
		"a line of none":        plain.with("headers", []any{nil}),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, a.do(t, "POST", "/v1/verify", f.json()), 422, "request.invalid")
			refused(t, a.do(t, "POST", "/v1/verify/batch", `{"requests":[`+f.json()+`]}`), 422, "request.invalid")
			refused(t, a.do(t, "POST", "/v1/explain", f.json()), 422, "request.invalid")
			alike(t, a.client, f.json())
		})
	}
}

// TestVerifyReadsAlike: what is not at fault is taken at every door, and what is no JSON by none.
func TestVerifyReadsAlike(t *testing.T) {
	a := open(t, "strict", "")
	const rest = `"method":"GET","target":"/","host":"x"`
	for body, status := range map[string]int{
		`{` + rest + `,"body_sha256":"` + strings.Repeat("Ab", 32) + `"}`:                          200,
		`{` + rest + `,"body_base64":"","source_ip":"::ffff:192.0.2.7"}`:                           200,
		`{` + rest + `,"headers":[{"name":"x-é","value":"é"}]}`:                                    422,
		`{` + rest + `,"headers":[{"name":"x","value":"é"},{"name":"x","value":""}]}`:              200,
		`{` + rest + `,"method":"GET"}`:                                                            400,
		`{` + rest + `,"\u006dethod":"GET"}`:                                                       400,
		`{` + rest + `} {}`:                                                                        400,
		"\ufeff{" + rest + `}`:                                                                     400,
		`{` + rest + `,"headers":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`: 400,
		`{` + rest + `,"action":"\ud800"}`:                                                         400,
		`{` + rest + `,"action":"` + "\xff" + `"}`:                                                 400,
	} {
		for path, body := range map[string]string{"/v1/verify": body, "/v1/verify/batch": `{"requests":[` + body + `]}`, "/v1/explain": body} {
			if got := a.do(t, "POST", path, body); got.status != status {
				t.Errorf("%s %.100q: got %d %s, want %d", path, body, got.status, got.body, status)
			}
		}
		alike(t, a.client, body)
	}
}

// TestMediaTypes: they have no case, and no answer depends on what is accepted.
func TestMediaTypes(t *testing.T) {
	a := open(t, "strict", "")
	const body = `{"method":"GET","target":"/","host":"x"}`
	for sent, status := range map[string]int{
		"Application/JSON": 200, "application/json; charset=utf-8": 200, "APPLICATION/json ;Charset=\"UTF-8\"": 200, "application/problem+json": 200,
		"text/json": 415, "json": 415, "application/json, text/plain": 415, "application/json;charset": 415, "application/x-www-form-urlencoded": 415,
	} {
		for _, path := range []string{"/v1/verify", "/v1/explain"} {
			got := a.send(t, call{method: "POST", path: path, body: body, before: header("Content-Type", sent)})
			if got.status != status {
				t.Errorf("%s of %s: got %d %s, want %d", path, sent, got.status, got.body, status)
			}
		}
	}
	for _, accepts := range []string{"Application/JSON", "text/html", "json", ";", "application/json;q,text/html", "*/*;q=0", ""} {
		if got := a.send(t, call{method: "GET", path: "/v1/caller", before: header("Accept", accepts)}).ok(t, 200); got.header.Get("Content-Type") != "application/json" {
			t.Errorf("accepting %q: got %s", accepts, got.header.Get("Content-Type"))
		}
	}
	if got := a.send(t, call{method: "GET", path: "/v1/events?follow=false", before: header("Accept", "Application/X-NDJSON;q")}).ok(t, 200); got.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("got %s", got.header.Get("Content-Type"))
	}
}

// TestVerifyForGateways has gateways ask: one of the installation about everybody's
// keys, one of an account about its own alone; of other accounts it learns nothing.
func TestVerifyForGateways(t *testing.T) {
	a, b := open(t, "strict", ""), open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	nobody := k
	nobody.id = "KLAK0000000000000000"
	token := func(c client, installation bool) string {
		made := decode[struct{ Token string }](t, c.do(t, "POST", "/v1/gateway-tokens", fmt.Sprintf(`{"name":"edge","installation":%v}`, installation)).ok(t, 201))
		the.keep(made.Token)
		return made.Token
	}
	ask := func(token string, f foreign) answer {
		t.Helper()
		return k.send(t, call{method: "POST", path: "/v1/verify", body: f.json(), unsigned: true, after: header("Authorization", "Bearer "+token)})
	}
	everywhere, hers, theirs := token(the.root, true), token(a.client, false), token(b.client, false)
	good := signedBy(t, k, "x")
	for name, gateway := range map[string]string{"of the installation": everywhere, "of the account": hers} {
		if got := decode[verdict](t, ask(gateway, good).ok(t, 200)); !got.Allowed || got.AccountID != a.id {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	unknown := decode[verdict](t, ask(theirs, signedBy(t, nobody, "x")).ok(t, 200))
	foreign := decode[verdict](t, ask(theirs, good).ok(t, 200))
	if unknown.Reason != "unknown_key" || foreign.Reason != "unknown_key" || foreign.Genuine || foreign.AccountID != "" || foreign.UserID != "" {
		t.Errorf("another account's gateway: got %+v about a key, and %+v about none", foreign, unknown)
	}
	if got := a.records(t, "/v1/keys/"+k.id+"/records?outcome=allowed", 2); len(got) != 2 {
		t.Errorf("the gateways left %d records, want 2", len(got))
	}
	tampered := good.with("body_base64", "YQ==")
	if got := decode[verdict](t, ask(hers, tampered).ok(t, 200)); got.Reason != "payload_hash_mismatch" || got.AccessKeyID != k.id || got.AccountID != a.id {
		t.Errorf("with another body: got %+v", got)
	}
	if got := a.records(t, "/v1/keys/"+k.id+"/records?outcome=attempt", 1); got[0].Reason != "payload_hash_mismatch" {
		t.Errorf("with another body the record says %v", got)
	}
	unknown = decode[verdict](t, ask(theirs, signedBy(t, nobody, "x").with("body_base64", "YQ==")).ok(t, 200))
	foreign = decode[verdict](t, ask(theirs, tampered).ok(t, 200))
	if unknown.AccessKeyID, unknown.RequestID = foreign.AccessKeyID, foreign.RequestID; foreign != unknown || foreign.AccountID != "" || foreign.Reason != "payload_hash_mismatch" {
		t.Errorf("with another body, another account's gateway: got %+v about a key, and %+v about none", foreign, unknown)
	}
	refused(t, ask("klgw_"+strings.Repeat("0", 36), good), 401, "gateway_token.required")
	refused(t, k.send(t, call{method: "GET", path: "/v1/caller", unsigned: true, after: header("Authorization", "Bearer "+everywhere)}), 401, "signature.required")
	refused(t, k.send(t, call{method: "POST", path: "/v1/users", body: `{"name":"x"}`, unsigned: true, after: header("Authorization", "Bearer "+everywhere)}), 401, "signature.required")
	if p := k.send(t, call{method: "POST", path: "/v1/verify", body: `{}`, unsigned: true}); p.status != 401 || !strings.Contains(string(p.body), "Authorization: Bearer klgw_") {
		t.Errorf("without a token: got %d %s, want to be told of it", p.status, p.body)
	}
	list := decode[page[struct {
		ID string `json:"token_id"`
	}]](t, a.get(t, "/v1/gateway-tokens").ok(t, 200)).Items
	a.do(t, "DELETE", "/v1/gateway-tokens/"+list[0].ID, "").ok(t, 200)
	refused(t, ask(hers, good), 401, "gateway_token.refused")
}

// TestVerifyAnswersAlike has one request answered with the framework and without: who asks for JSON in
// words that few use gets the framework's answer.
func TestVerifyAnswersAlike(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	good := signedBy(t, k, "x")
	for name, body := range map[string]string{
		"members of null": good.with("service", nil).with("base_host", nil).with("body_sha256", nil).json(),
		"allowed":         good.json(), "refused": good.with("method", "GET").json(), "unsigned": `{"method":"GET","target":"/<&>","host":"x"}`,
		"a bad address": good.with("source_ip", "here").json(), "a bad sum": good.with("body_sha256", "00").json(),
		"too long": good.with("action", strings.Repeat("x", 129)).json(), "unknown": good.with("more", "x").json(), "no JSON": "{", "null": "null", "nothing": "",
	} {
		t.Run(name, func(t *testing.T) { alike(t, k, body) })
	}
}

// alike has a body answered without the framework, if it may be, and with it.
func alike(t *testing.T, c client, body string) {
	t.Helper()
	plain, framework := c.askVerify(t, body, "application/json"), c.askVerify(t, body, "application/json;q=0.9")
	if plain != framework {
		t.Errorf("%.200q: got\n%s\nthe framework answers\n%s", body, plain, framework)
	}
}

var ownID = regexp.MustCompile(`"request_id":"[^"]*"`)

// askVerify is an answer without what differs from one request to the next.
func (c client) askVerify(t *testing.T, body, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", c.url+"/v1/verify", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", accept)
	aws.Sign(req, []byte(body), c.id, c.secret, "keyledger", "local", time.Now())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if own := resp.Header.Get("X-Keyledger-Request-Id"); own == "" {
		t.Error("the answer has no ID")
	}
	for _, name := range []string{"X-Keyledger-Request-Id", "Date", "Content-Length"} {
		resp.Header.Del(name)
	}
	return fmt.Sprintf("%d %v\n%s", resp.StatusCode, resp.Header, ownID.ReplaceAll(got, nil))
}
