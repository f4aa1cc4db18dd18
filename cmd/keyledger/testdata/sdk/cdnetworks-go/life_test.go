package sdk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/cmd/keyledger/testdata/sdk/ledger"
)

type answer struct {
	Status  int
	Code    string
	Message string
	Data    struct{ AccountID, UserID, LoginName string }
}

// calls counts requests: no two of one second may be the same.
var calls int

// call sends a signed request.
func call(t *testing.T, l *ledger.Ledger, k ledger.Pair, method, path, body string) answer {
	t.Helper()
	calls++
	req, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("%s%s?n=%d&q=a+b%%2Bc", l.URL, path, calls), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := Sign(req, body, k.ID, k.Secret, time.Now()); err != nil {
		t.Fatal(err)
	}
	return send(t, req)
}

func send(t *testing.T, req *http.Request) answer {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out := answer{Status: res.StatusCode}
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil || res.Header.Get("x-cnc-request-id") == "" {
		t.Errorf("%s %s: %v, %q", req.Method, req.URL, err, res.Header)
	}
	return out
}

func (a answer) wants(t *testing.T, status int, code string) {
	t.Helper()
	if a.Status != status || a.Code != code || a.Message == "" {
		t.Errorf("got %+v, want %d %s", a, status, code)
	}
}

// TestLife is a key's whole life under the preset cdnetworks: managed by the native API, used by the vendor's signature.
func TestLife(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("cdnetworks")
	alice := a.User("alice")
	k := a.NewKey(alice)
	for range 4 {
		a.NewKey(alice)
	}
	if got := a.Fails("key", "create", "--user", alice); !strings.Contains(got, "key.quota: ") {
		t.Errorf("a sixth key: got %s", got)
	}
	if got := a.Print("key", "list", "--user", alice); strings.Count(got, `"access_key_id"`) != 5 || !strings.Contains(got, k.ID) {
		t.Errorf("the keys are %s", got)
	}
	got := call(t, l, k, "GET", "/", "")
	if got.wants(t, 200, "0"); got.Data.AccountID != a.ID || got.Data.UserID != alice || got.Data.LoginName != "alice" {
		t.Errorf("the caller is %+v", got.Data)
	}
	call(t, l, k, "POST", "/api/domain", `{"domain-name":"a.test"}`).wants(t, 404, "NotFound")
	call(t, l, k, "DELETE", "/api/domain/1", "null").wants(t, 404, "NotFound")
	call(t, l, k, "PUT", "/api/a%20b%2F%E4%B8%AD", "{}").wants(t, 404, "NotFound")
	l.Eventually("the last use", func() bool { return a.Run("key", "last-used", k.ID)["last_used_at"] != "" })
	records := a.Print("records", "list", "--key", k.ID)
	for _, want := range []string{`"GET /"`, `"POST /api/domain"`, `"open-api"`, `"CNC-HMAC-SHA256"`} {
		if !strings.Contains(records, want) {
			t.Errorf("no %s is on record: %s", want, records)
		}
	}

	a.Run("key", "disable", "--yes", k.ID)
	call(t, l, k, "GET", "/", "").wants(t, 403, "AccessKeyDisabled")
	a.Run("key", "enable", k.ID)
	call(t, l, k, "GET", "/", "").wants(t, 200, "0")
	call(t, l, ledger.Pair{ID: k.ID, Secret: k.Secret + "x"}, "GET", "/", "").wants(t, 401, "SignatureMismatch")
	call(t, l, ledger.Pair{ID: "KLAK0000000000000000", Secret: "x"}, "GET", "/", "").wants(t, 403, "InvalidAccessKey")
	a.Run("key", "delete", "--yes", k.ID)
	call(t, l, k, "GET", "/", "").wants(t, 403, "InvalidAccessKey")
}

// TestReplay: a signed request is taken once, in whatever case its signature comes back and with whatever query.
func TestReplay(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("cdnetworks")
	req, err := http.NewRequestWithContext(t.Context(), "POST", l.URL+"/api/x?n=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Sign(req, "", a.Key.ID, a.Key.Secret, time.Now()); err != nil {
		t.Fatal(err)
	}
	send(t, req).wants(t, 404, "NotFound")
	send(t, req).wants(t, 401, "RequestReplayed")
	req.URL.RawQuery = "n=2"
	text := req.Header.Get("Authorization")
	req.Header.Set("Authorization", text[:len(text)-64]+strings.ToUpper(text[len(text)-64:]))
	send(t, req).wants(t, 401, "RequestReplayed")
	call(t, l, a.Key, "GET", "/", "").wants(t, 200, "0")
}

// TestWindow: five minutes, either way.
func TestWindow(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("cdnetworks")
	for off, code := range map[time.Duration]string{-4 * time.Minute: "0", 4 * time.Minute: "0", -6 * time.Minute: "RequestExpired", 6 * time.Minute: "RequestNotYetValid"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", l.URL+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := Sign(req, "", a.Key.ID, a.Key.Secret, time.Now().Add(off)); err != nil {
			t.Fatal(err)
		}
		if got := send(t, req); got.Code != code {
			t.Errorf("a clock that is off by %s: got %+v", off, got)
		}
	}
}

// TestNative: the native API takes this signature where it covers the request.
func TestNative(t *testing.T) {
	l := ledger.Start(t)
	a := l.Open("cdnetworks")
	for target, want := range map[string]int{"/v1/caller": 200, "/v1/keys?limit=5": 200, "/v1/keys?cursor=a%26limit=5": 401} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", l.URL+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := Sign(req, "", a.Key.ID, a.Key.Secret, time.Now()); err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want {
			t.Errorf("%s: got %s", target, res.Status)
		}
	}
}
