package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
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
	k.verify(t, good.with("action", "last"))
	for records := ""; !strings.Contains(records, `"last"`); { // until it is known
		records = string(k.get(t, "/v1/keys/"+k.id+"/records").body)
		if strings.Contains(records, `"refused"`) || t.Context().Err() != nil {
			t.Fatal("a batch that was refused has left a record")
		}
	}
	refused(t, k.do(t, "POST", "/v1/verify/batch", `{"requests":[`+strings.Repeat(`{"method":"GET","target":"/","host":"x"},`, 100)+`{"method":"GET","target":"/","host":"x"}]}`), 422, "request.invalid")
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
			})
		}
	}
}

func TestVerifyBadInput(t *testing.T) {
	a := open(t, "strict", "")
	plain := foreign{"method": "GET", "target": "/", "host": "x"}
	for name, f := range map[string]foreign{
		"no method":        {"target": "/", "host": "x"},
		"not base64":       plain.with("body_base64", "a b"),
		"unpadded base64":  plain.with("body_base64", "YQ"),
		"a short sum":      plain.with("body_sha256", "ab"),
		"no digits":        plain.with("body_sha256", strings.Repeat("zz", 32)),
		"both":             plain.with("body_sha256", strings.Repeat("00", 32)).with("body_base64", ""),
		"no address":       plain.with("source_ip", "example.com"),
		"a zone":           plain.with("source_ip", "fe80::1%eth0"),
		"unknown":          plain.with("colour", "red"),
		"a header of none": plain.with("headers", []any{map[string]any{"name": "", "value": "x"}}),
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, a.do(t, "POST", "/v1/verify", f.json()), 422, "request.invalid")
		})
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
	refused(t, ask("klgw_"+strings.Repeat("0", 36), good), 401, "gateway_token.required")
	refused(t, k.send(t, call{method: "GET", path: "/v1/caller", unsigned: true, after: header("Authorization", "Bearer "+everywhere)}), 401, "signature.required")
	refused(t, k.send(t, call{method: "POST", path: "/v1/users", body: `{"name":"x"}`, unsigned: true, after: header("Authorization", "Bearer "+everywhere)}), 401, "signature.required")
	list := decode[page[struct {
		ID string `json:"token_id"`
	}]](t, a.get(t, "/v1/gateway-tokens").ok(t, 200)).Items
	a.do(t, "DELETE", "/v1/gateway-tokens/"+list[0].ID, "").ok(t, 200)
	refused(t, ask(hers, good), 401, "gateway_token.refused")
}
