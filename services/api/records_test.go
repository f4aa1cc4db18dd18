package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect/aws"
)

type recorded struct {
	ID          string    `json:"id"`
	Time        time.Time `json:"time"`
	AccessKeyID string    `json:"access_key_id"`
	UserID      string    `json:"user_id"`
	Outcome     string    `json:"outcome"`
	Reason      string    `json:"reason"`
	Service     string    `json:"service"`
	Action      string    `json:"action"`
	SourceIP    string    `json:"source_ip"`
	RequestID   string    `json:"request_id"`
}

func (r recorded) String() string {
	return fmt.Sprintf("%s %s %s %s %s", r.Service, r.Action, r.Outcome, r.Reason, r.SourceIP)
}

// records asks until a list holds as many records as are wanted.
func (c client) records(t *testing.T, path string, want int) (out []recorded) {
	t.Helper()
	for until := time.Now().Add(10 * time.Second); ; {
		out = decode[page[recorded]](t, c.get(t, path).ok(t, http.StatusOK)).Items
		if len(out) >= want || time.Now().After(until) {
			return out
		}
	}
}

// TestRecords verifies requests that are allowed, forged and refused: each is found
// by key, account, address, outcome and time, newest first; only the allowed ones
// move last used.
func TestRecords(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k, asker := a.create(t, u), a.create(t, u)
	at := "/v1/keys/" + k.id
	if got := decode[map[string]any](t, a.get(t, at+"/last-used").ok(t, 200)); got["last_used_at"] != nil {
		t.Errorf("never used: got %v", got)
	}
	signed := signedBy(t, k, "x")
	asker.verify(t, signed)
	asker.verify(t, signed.with("method", "GET").with("source_ip", "203.0.113.9"))
	asker.verify(t, signed.with("service", "thumbnails"))
	a.do(t, "PATCH", at, `{"status":"disabled"}`).ok(t, 200)
	asker.verify(t, signed.with("source_ip", "2001:db8::7"))

	want := []string{
		"photos PutPhoto denied key_disabled 2001:db8::7", "thumbnails PutPhoto allowed  198.51.100.7",
		"photos PutPhoto attempt signature_mismatch 203.0.113.9", "photos PutPhoto allowed  198.51.100.7",
	}
	all := a.records(t, at+"/records", 4)
	var got []string
	for _, r := range all {
		got = append(got, r.String())
		if r.AccessKeyID != k.id || r.UserID != u || r.ID == "" || r.RequestID == "" || time.Since(r.Time) > time.Minute {
			t.Errorf("a record lacks something: %+v", r)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for path, want := range map[string][]int{
		"?outcome=allowed": {1, 3}, "?outcome=denied": {0}, "?outcome=attempt": {2}, "?outcome=failed": {0, 2}, "?outcome=uses": {0, 1, 3},
		"?source_ip=203.0.113.9": {2}, "?source_ip=2001:db8:0::7": {0}, "?source_ip=192.0.2.1": {},
		"?until=" + all[1].Time.Format(time.RFC3339Nano): {2, 3}, "?since=" + all[1].Time.Format(time.RFC3339Nano): {0, 1},
	} {
		var ids, wanted []string
		for _, r := range a.records(t, at+"/records"+path, 0) {
			ids = append(ids, r.ID)
		}
		for _, i := range want {
			wanted = append(wanted, all[i].ID)
		}
		if !slices.Equal(ids, wanted) {
			t.Errorf("%s: got %v, want %v", path, ids, wanted)
		}
	}
	paged := everyPage(t, a.client, at+"/records?limit=1")
	if len(paged) != 4 || paged[3].ID != all[3].ID {
		t.Errorf("in pages of one: got %v", paged)
	}
	inAccount := a.records(t, "/v1/records?source_ip=203.0.113.9", 1)
	if len(inAccount) != 1 || inAccount[0].ID != all[2].ID {
		t.Errorf("of the account, by address: got %v", inAccount)
	}
	last := decode[struct {
		At      time.Time `json:"last_used_at"`
		Used    recorded  `json:"last_used"`
		Refused recorded  `json:"last_refused"`
	}](t, a.get(t, at+"/last-used").ok(t, 200))
	if !last.At.Equal(all[1].Time) || last.Used.Service != "thumbnails" || last.Refused.Reason != "key_disabled" || last.Refused.SourceIP != "2001:db8::7" {
		t.Errorf("last used: got %+v", last)
	}
	days := decode[page[struct{ Allowed, Denied, Attempts int }]](t, a.get(t, at+"/counts").ok(t, 200)).Items
	allowed, denied, attempts := 0, 0, 0
	for _, d := range days { // midnight may have passed
		allowed, denied, attempts = allowed+d.Allowed, denied+d.Denied, attempts+d.Attempts
	}
	if allowed != 2 || denied != 1 || attempts != 1 {
		t.Errorf("counts: got %+v", days)
	}
	if got := decode[page[map[string]any]](t, a.get(t, "/v1/reports/unused?days=1").ok(t, 200)).Items; len(got) != 0 {
		t.Errorf("keys made today cannot be unused for a day: %v", got)
	}
}

// TestLastUsedOfMany tells of all keys in the order in which they are named, or of none.
func TestLastUsedOfMany(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":100}}`)
	u, other := a.add(t, "alice", "user"), a.add(t, "bob", "user") // more keys than one user may have
	used, never := a.create(t, u), a.create(t, u)
	used.get(t, "/v1/caller").ok(t, 200)
	one := decode[map[string]any](t, a.get(t, "/v1/keys/"+used.id+"/last-used").ok(t, 200))
	for until := time.Now().Add(10 * time.Second); one["last_used_at"] == nil && time.Now().Before(until); {
		one = decode[map[string]any](t, a.get(t, "/v1/keys/"+used.id+"/last-used").ok(t, 200))
	}
	got := decode[page[map[string]any]](t, a.get(t, "/v1/last-used?access_key_id="+never.id+","+used.id).ok(t, 200)).Items
	if len(got) != 2 || got[0]["access_key_id"] != never.id || got[0]["last_used_at"] != nil || one["last_used_at"] == nil || !reflect.DeepEqual(got[1], one) {
		t.Errorf("got %v, want the unused key and %v", got, one)
	}
	ids := []string{used.id, never.id}
	for len(ids) < 101 {
		ids = append(ids, a.create(t, other).id)
	}
	if got := decode[page[map[string]any]](t, a.get(t, "/v1/last-used?access_key_id="+strings.Join(ids[:100], ",")).ok(t, 200)).Items; len(got) != 100 || got[99]["access_key_id"] != ids[99] {
		t.Errorf("of a hundred: got %d", len(got))
	}
	foreign := open(t, "strict", "")
	for what, c := range map[string]struct {
		query, code string
		status      int
	}{
		"101 keys":      {"?access_key_id=" + strings.Join(ids, ","), "request.invalid", 422},
		"none":          {"", "request.invalid", 422},
		"an empty one":  {"?access_key_id=" + used.id + ",", "request.invalid", 422},
		"one twice":     {"?access_key_id=" + used.id + "," + used.id, "request.invalid", 422},
		"an unknown":    {"?access_key_id=" + used.id + ",KLAK0000000000000000", "key.not_found", 404},
		"another's":     {"?access_key_id=" + used.id + "," + foreign.id, "key.not_found", 404},
		"an odd cursor": {"?access_key_id=" + used.id + "&cursor=x", "request.invalid", 422},
	} {
		t.Run(what, func(t *testing.T) { refused(t, a.get(t, "/v1/last-used"+c.query), c.status, c.code) })
	}
}

// TestForbiddenIsOnRecord: who may not do what he asks for has used his key, and was
// denied: by the native API and by a vendor's. What he may not even know of is on record as
// what does not exist, so that his own records do not tell the one from the other.
func TestForbiddenIsOnRecord(t *testing.T) {
	a := open(t, "strict", "")
	u, other := a.add(t, "alice", "user"), a.add(t, "bob", "user")
	k, his := a.create(t, u), a.create(t, other)
	refused(t, k.get(t, "/v1/users"), 403, "permission.denied")
	refused(t, k.get(t, "/v1/keys/"+his.id), 404, "key.not_found")
	refused(t, k.get(t, "/v1/keys/KLAK0000000000000000"), 404, "key.not_found")
	k.vendor(t, "CreateAccessKey", "", "UserName", "bob").refused(t, 403, "AccessDenied")
	got := map[string]int{}
	for _, r := range a.records(t, "/v1/keys/"+k.id+"/records", 4) {
		got[fmt.Sprint(r.Service, " ", r.Action, " ", r.Outcome, " ", r.Reason)]++
	}
	want := map[string]int{"keyledger list-users denied forbidden": 1, "keyledger show-key allowed ": 2, "iam CreateAccessKey denied forbidden": 1}
	if !maps.Equal(got, want) {
		t.Errorf("on record: got %v, want %v", got, want)
	}
	last := decode[struct {
		Used    recorded `json:"last_used"`
		Refused recorded `json:"last_refused"`
	}](t, a.get(t, "/v1/keys/"+k.id+"/last-used").ok(t, 200))
	if last.Used.Action != "show-key" || last.Refused.Reason != "forbidden" || last.Refused.Action != "CreateAccessKey" {
		t.Errorf("last used and refused: got %+v", last)
	}
}

// TestEveryCallIsNamedOnRecord: a call is on record with a service and an action, also where its signature names no
// service and the API has no such operation.
func TestEveryCallIsNamedOnRecord(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	refused(t, k.get(t, "/v1/nothing"), 404, "not_found")
	k.vendor(t, "", "").refused(t, 400, "InvalidAction")
	for path, status := range map[string]int{"/v3/auth/domains": 200, "/v3/nothing": 404} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", a.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		signSDK(req, k, time.Now())
		res, err := direct.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != status {
			t.Errorf("%s: got %d, want %d", path, res.StatusCode, status)
		}
	}
	got := map[string]bool{}
	for _, r := range a.records(t, "/v1/keys/"+k.id+"/records", 4) {
		got[r.Service+" "+r.Action] = true
	}
	want := map[string]bool{"keyledger GET /v1/nothing": true, "iam POST /": true, "iam KeystoneListAuthDomains": true, "huawei GET /v3/nothing": true}
	if !maps.Equal(got, want) {
		t.Errorf("on record: got %v, want %v", got, want)
	}
}

func everyPage(t *testing.T, c client, path string) (out []recorded) {
	t.Helper()
	for cursor := ""; ; {
		p := decode[page[recorded]](t, c.get(t, path+"&cursor="+cursor).ok(t, 200))
		out = append(out, p.Items...)
		if cursor = p.NextCursor; cursor == "" {
			return out
		}
	}
}

func TestRecordsBadInput(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	at := "/v1/keys/" + k.id + "/records"
	for _, b := range []bad{
		{"an unknown outcome", call{method: "GET", path: at + "?outcome=good"}, 422, "request.invalid"},
		{"no address", call{method: "GET", path: at + "?source_ip=here"}, 422, "request.invalid"},
		{"until the year 1", call{method: "GET", path: at + "?until=0001-01-01T00:00:00Z"}, 422, "request.invalid"},
		{"until the year 1, in the account", call{method: "GET", path: "/v1/records?until=0001-01-01T00:00:00Z"}, 422, "request.invalid"},
		{"no time", call{method: "GET", path: at + "?since=yesterday"}, 422, "request.invalid"},
		{"a cursor of nothing", call{method: "GET", path: at + "?cursor=AAAA"}, 422, "cursor.invalid"},
		{"no days", call{method: "GET", path: "/v1/reports/unused?days=0"}, 422, "request.invalid"},
		{"an unknown key", call{method: "GET", path: "/v1/keys/KLAK0000000000000000/last-used"}, 404, "key.not_found"},
		{"a key of another account", call{method: "GET", path: "/v1/keys/" + the.root.id + "/records"}, 404, "key.not_found"},
	} {
		b.run(t, a.client)
	}
}

// TestManagementCallOnRecord is found by what its answer was named.
func TestManagementCallOnRecord(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "boss", "admin"))
	first := k.named(t, "mine", "POST", "/v1/users", `{"name":"alice"}`).ok(t, 201).header.Get("X-Keyledger-Request-Id")
	second := k.get(t, "/v1/caller").ok(t, 200).header.Get("X-Keyledger-Request-Id")
	var got []string
	for _, r := range a.records(t, "/v1/keys/"+k.id+"/records", 2) {
		got = append(got, r.RequestID)
	}
	if want := []string{second, "mine"}; first != "mine" || !slices.Equal(got, want) {
		t.Errorf("on record: got %q, want %q", got, want)
	}
}

// TestMalformedIsOnRecord: whoever has seen a request and sends it again, but not as it was signed, is on the record of its
// key at every door, with what was wrong. What names no key of ours is counted.
func TestMalformedIsOnRecord(t *testing.T) {
	a := open(t, "strict", "")
	k := a.create(t, a.add(t, "alice", "user"))
	token := *a.gateway(t, "edge").Token
	tampered := signedBy(t, k, "x").with("body_base64", "YQ==")
	if got := k.verify(t, tampered); got.Reason != "payload_hash_mismatch" || got.AccessKeyID != k.id || got.Scheme != "AWS4-HMAC-SHA256" || got.Genuine {
		t.Errorf("its owner asks: got %+v", got)
	}
	k.do(t, "POST", "/v1/verify/batch", `{"requests":[`+tampered.with("action", "InABatch").json()+`]}`).ok(t, 200)
	refused(t, k.send(t, call{method: "GET", path: "/v1/caller", after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }}), 401, "signature.missing_date")
	k.tamperedVendor(t).refused(t, 403, "SignatureDoesNotMatch")
	held := proxied(t, k, token, byNginx)
	held.Header.Del("X-Amz-Date")
	if res := ask(t, held); res.StatusCode != 401 || res.Header.Get("X-Keyledger-Reason") != "missing_date" {
		t.Errorf("nginx: got %d %v", res.StatusCode, res.Header)
	}
	in := k.enquiry(t, "a picture")
	in.Attributes.Request.Http.RawBody = []byte("a Picture")
	if got := told(envoy(t).Check(shown(t, "Bearer "+token), in)); got != "401 payload_hash_mismatch PermissionDenied" {
		t.Errorf("Envoy: got %s", got)
	}
	var got []string
	for _, r := range a.records(t, "/v1/keys/"+k.id+"/records?outcome=attempt", 6) {
		got = append(got, r.Service+" "+r.Action+" "+r.Reason)
	}
	slices.Sort(got)
	want := []string{
		" InABatch payload_hash_mismatch", " PutPhoto payload_hash_mismatch", "albums PutPhoto payload_hash_mismatch",
		"aws ListAccessKeys payload_hash_mismatch", "keyledger show-caller missing_date", "photos PutPhoto missing_date",
	}
	if !slices.Equal(got, want) {
		t.Errorf("on record: got %q, want %q", got, want)
	}
	k.id = "KLAK0000000000000000"
	before := unknownKeys(t)
	refused(t, k.send(t, call{method: "GET", path: "/v1/caller", after: func(r *http.Request) { r.Header.Del("X-Amz-Date") }}), 401, "signature.missing_date")
	if n := unknownKeys(t); n != before+1 {
		t.Errorf("requests that named no key of ours: got %d, want %d", n, before+1)
	}
}

// tamperedVendor calls a vendor's API by a request whose body somebody has changed.
func (c client) tamperedVendor(t *testing.T) iam {
	t.Helper()
	const body = "Action=ListAccessKeys&Version=2010-05-08"
	req, err := http.NewRequestWithContext(t.Context(), "POST", c.url+"/", strings.NewReader(body+"&UserName=bob"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	aws.Sign(req, []byte(body), c.id, c.secret, "iam", "us-east-1", time.Now())
	return sendVendor(t, req)
}

// unknownKeys is how many requests named no key of this ledger.
func unknownKeys(t *testing.T) (n int) {
	t.Helper()
	scrape := string(the.root.send(t, call{method: "GET", path: "/metrics", unsigned: true}).ok(t, 200).body)
	_, text, _ := strings.Cut(scrape, "\nkeyledger_uses_unknown_key_total ")
	if _, err := fmt.Sscan(text, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
