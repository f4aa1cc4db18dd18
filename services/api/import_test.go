package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// brought is a key from elsewhere, as a request brings it.
func brought(id, secret string) string {
	return fmt.Sprintf(`{"access_key_id":%q,"secret_access_key":%q,"description":"from elsewhere"}`, id, secret)
}

type imported struct {
	key
	Repeated bool
}

// An imported key signs as any key does, has a key's whole life, and its ID is refused
// for ever after its purge. Its secret is in no answer.
func TestImport(t *testing.T) {
	a := open(t, "strict", "")
	alice, bob := a.add(t, "alice", "admin"), a.add(t, "bob", "user")
	id, secret := unique("LTAI5t"), unique("s3cr3t/")+"+="
	the.keep(secret)
	at := "/v1/users/" + alice + "/keys/import"
	for range 2 { // the program signs before its key is here: that there is none is not kept in mind
		refused(t, client{a.url, id, secret}.get(t, "/v1/caller"), 401, "signature.refused")
	}
	first := a.named(t, "import-1", "POST", at, brought(id, secret)).ok(t, 201)
	again := a.named(t, "import-1", "POST", at, brought(id, secret)).ok(t, 201)
	one, other := decode[imported](t, first), decode[imported](t, again)
	if one.Repeated || !other.Repeated || one.AccessKeyID != id || one.Status != "active" || one.Description != "from elsewhere" || one.UserID != alice {
		t.Errorf("got %s", first.body)
	}
	if other.Repeated = false; fmt.Sprint(one) != fmt.Sprint(other) || first.position(t) != again.position(t) {
		t.Errorf("the repeat answers %s, the first did %s", again.body, first.body)
	}
	refused(t, a.named(t, "import-1", "POST", at, brought(id, secret+"x")), 422, "request.reused")
	refused(t, a.named(t, "import-1", "POST", at, brought(id+"x", secret)), 422, "request.reused")

	hers := client{a.url, id, secret}
	hers.get(t, "/v1/caller").ok(t, 200)
	refused(t, client{a.url, id, secret + "x"}.get(t, "/v1/caller"), 401, "signature.refused")
	refused(t, client{a.url, strings.ToLower(id), secret}.get(t, "/v1/caller"), 401, "signature.refused")
	key := "/v1/keys/" + id
	a.do(t, "PATCH", key, `{"status":"disabled"}`).ok(t, 200)
	refused(t, hers.get(t, "/v1/caller"), 401, "signature.refused")
	a.do(t, "DELETE", key, "").ok(t, 200)
	a.do(t, "POST", key+"/restore", "").ok(t, 200)
	a.do(t, "PATCH", key, `{"status":"active"}`).ok(t, 200)
	hers.get(t, "/v1/caller").ok(t, 200)
	a.do(t, "PATCH", key, `{"status":"disabled"}`).ok(t, 200)
	a.do(t, "DELETE", key, "").ok(t, 200)
	a.do(t, "POST", key+"/purge", "").ok(t, 200)

	elsewhere := open(t, "strict", "")
	for user, c := range map[string]account{alice: a, bob: a, elsewhere.root: elsewhere} {
		answer := c.do(t, "POST", "/v1/users/"+user+"/keys/import", brought(id, secret))
		refused(t, answer, 409, "key.exists")
		if strings.Contains(string(answer.body), a.id) || strings.Contains(string(answer.body), alice) {
			t.Errorf("the refusal tells whose the ID is: %s", answer.body)
		}
	}
	whole := sha256.Sum256([]byte("POST\n" + at + "\n" + brought(id, secret)))
	if body := string(a.get(t, key+"/history").body); strings.Contains(body, hex.EncodeToString(whole[:])) {
		t.Error("the log holds a digest by which a guessed secret could be told to be right")
	}
	if history := a.get(t, key+"/history").ok(t, 200); !strings.Contains(string(history.body), "key.reserved") || !strings.Contains(string(history.body), `"imported"`) {
		t.Errorf("the history does not tell where the key came from: %s", history.body)
	}
	for _, path := range []string{key, key + "/history", "/v1/audit", "/v1/users/" + alice + "/keys?status=purged"} {
		if body := a.get(t, path).ok(t, 200).body; the.leaks(body) {
			t.Errorf("%s holds a secret", path)
		}
	}
}

// What is wrong with an import is said without the secret, and imports nothing.
func TestImportRefused(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	at := "/v1/users/" + u + "/keys/import"
	const weak = "hunter2-hunter2"
	for _, test := range []struct {
		body   string
		status int
		code   string
	}{
		{``, 400, "request.malformed"},
		{`{"access_key_id":"AKIAX"}`, 422, "request.invalid"},
		{`{"access_key_id":"AKIAX","secret_access_key":["` + weak + `"]}`, 422, "request.invalid"},
		{`{"access_key_id":"AKIAX","secret_access_key":"` + weak + `","status":"deleted"}`, 422, "request.invalid"},
		{`{"access_key_id":"AKIAX","secret_access_key":"` + weak + `","secret":"` + weak + `"}`, 422, "request.invalid"},
		{`{"access_key_id":"AKIAX","secret_access_key":"` + weak + `"`, 400, "request.malformed"},
		{brought("AK", weak), 422, "import.access_key_id"},
		{brought("AKIA X", weak), 422, "import.access_key_id"},
		{brought("KLAK0123456789ABCDEF", weak), 422, "import.access_key_id"},
		{brought("klak", weak), 422, "import.access_key_id"},
		{brought(strings.Repeat("x", 129), weak), 422, "import.access_key_id"},
		{brought("AKIAX", ""), 422, "import.secret_access_key"},
		{brought("AKIAX", weak+" "), 422, "import.secret_access_key"},
		{brought("AKIAX", weak+"é"), 422, "import.secret_access_key"},
		{brought("AKIAX", strings.Repeat(weak, 20)), 422, "import.secret_access_key"},
		{`{"access_key_id":"AKIAX","secret_access_key":"` + weak + `","description":"two\nlines"}`, 422, "key.description"},
	} {
		answer := a.do(t, "POST", at, test.body)
		refused(t, answer, test.status, test.code)
		if strings.Contains(string(answer.body), weak[:7]) {
			t.Errorf("%s: the refusal quotes the secret: %s", test.body, answer.body)
		}
	}
	if got := decode[page[key]](t, a.get(t, "/v1/users/"+u+"/keys")); len(got.Items) != 0 {
		t.Errorf("%d keys were imported", len(got.Items))
	}
	a.do(t, "POST", at, brought(unique("AKIA"), weak)).ok(t, 201)
	if strings.Contains(the.log.String(), weak) {
		t.Error("the server's log holds the secret")
	}
}
