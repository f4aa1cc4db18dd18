package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTour goes over every operation once, and each is answered as the
// document says it is when all goes well. Send holds every body to its schema.
func TestTour(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k := a.create(t, u)
	at := "/v1/keys/" + k.id
	steps := []struct{ method, path, body string }{
		{"GET", "/v1/caller", ""},
		{"GET", "/v1/accounts/" + a.id, ""},
		{"POST", at + "/restrict", `{"reason":"found by a scanner","found_in":"https://git.example/app"}`},
		{"POST", at + "/unrestrict", `{"reason":"it was a sample"}`},
		{"PUT", "/v1/accounts/" + a.id + "/policy", `{"preset":"alibaba","overrides":{"quota":{"max":5}}}`},
		{"GET", "/v1/users", ""},
		{"GET", "/v1/users/" + u, ""},
		{"PATCH", "/v1/users/" + u, `{"name":"alicia","role":"auditor","grants":["manage-own-keys"]}`},
		{"GET", "/v1/users/" + u + "/keys?status=active&limit=5", ""},
		{"GET", "/v1/keys", ""},
		{"GET", at, ""},
		{"PATCH", at, `{"description":"the build server"}`},
		{"GET", "/v1/accounts/" + a.id + "/network-policy", ""},
		{"PUT", "/v1/accounts/" + a.id + "/network-policy", `{"status":"active","statements":[{"type":"address","addresses":["127.0.0.0/8","::1"]}]}`},
		{"PUT", at + "/network-policy", `{"status":"inactive","statements":[{"type":"vpc","vpc":"vpc-1","addresses":["10.0.0.0/8"]}]}`},
		{"GET", at + "/network-policy", ""},
		{"PATCH", at, `{"status":"disabled","reason":"moved"}`},
		{"DELETE", at, ""},
		{"GET", "/v1/recycle-bin", ""},
		{"POST", at + "/restore", ""},
		{"DELETE", at, ""},
		{"POST", at + "/purge", ""},
		{"GET", at, ""},
		{"GET", at + "/history", ""},
		{"GET", at + "/records?limit=20&outcome=failed", ""},
		{"GET", at + "/last-used", ""},
		{"GET", at + "/counts", ""},
		{"GET", "/v1/records?source_ip=127.0.0.1", ""},
		{"GET", "/v1/events?from=earliest&follow=false&type=key.created", ""},
		{"GET", "/v1/reports/unused?days=1", ""},
		{"GET", "/v1/audit?action=key.purged", ""},
		{"GET", "/v1/gateway-tokens", ""},
		{"DELETE", "/v1/gateway-tokens/" + a.gateway(t, "edge").TokenID, ""},
		{"DELETE", "/v1/users/" + u, ""},
	}
	for _, s := range steps {
		want := http.StatusOK
		if s.method == "DELETE" && strings.HasPrefix(s.path, "/v1/users/") {
			want = http.StatusNoContent
		}
		a.do(t, s.method, s.path, s.body).ok(t, want)
	}
	the.root.do(t, "POST", "/v1/verify", `{"method":"GET","target":"/","host":"x"}`).ok(t, 200)
	the.root.do(t, "POST", "/v1/verify/batch", `{"requests":[{"method":"GET","target":"/","host":"x"}]}`).ok(t, 200)
	a.do(t, "POST", "/v1/users/"+a.root+"/keys/import", brought(unique("AKIA"), "from elsewhere")).ok(t, 201)
	a.do(t, "POST", "/v1/explain", `{"method":"GET","target":"/","host":"x"}`).ok(t, 200)
	the.root.get(t, "/v1/accounts").ok(t, 200)
	the.root.get(t, "/v1/status").ok(t, 200)
	the.root.do(t, "POST", "/v1/clock/confirm", "").ok(t, 200)
	refused(t, the.root.do(t, "POST", "/v1/projections/audit/acknowledge", `{"position":1,"reason":"it was looked at"}`), 409, "acknowledge.not_stopped")
	the.root.do(t, "POST", "/v1/projections/requests/rebuild", "").ok(t, 202)
	for path, methods := range the.document.Paths {
		for method, o := range methods {
			if o.ID != "acknowledge-record" && !the.document.went(o.ID) { // that one goes well where a projection has stopped: services/node
				t.Errorf("%s %s (%s) never went well", method, path, o.ID)
			}
		}
	}
}

func TestRepeatedRequests(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	keys := "/v1/users/" + u + "/keys"
	first := a.named(t, "create-1", "POST", keys, `{"description":"x"}`).ok(t, 201)
	k := decode[key](t, first)
	the.keep(*k.SecretAccessKey)
	for _, name := range []string{"create-1", `"create-1"`} {
		again := a.named(t, name, "POST", keys, `{"description":"x"}`).ok(t, 201)
		got := decode[key](t, again)
		if got.SecretAccessKey != nil || got.AccessKeyID != k.AccessKeyID || got.CreatedAt != k.CreatedAt || got.Description != "x" {
			t.Errorf("repeated as %s: %s", name, again.body)
		}
		if again.position(t) != first.position(t) || again.header.Get("X-Keyledger-Request-Id") != "create-1" {
			t.Errorf("repeated as %s: %v", name, again.header)
		}
	}
	if got := decode[page[key]](t, a.get(t, keys)); len(got.Items) != 1 {
		t.Errorf("repeating made %d keys", len(got.Items))
	}

	at := "/v1/keys/" + k.AccessKeyID
	disabled := a.named(t, "disable-1", "PATCH", at, `{"status":"disabled"}`).ok(t, 200)
	a.do(t, "PATCH", at, `{"status":"active"}`).ok(t, 200)
	again := a.named(t, "disable-1", "PATCH", at, `{"status":"disabled"}`).ok(t, 200)
	if again.position(t) != disabled.position(t) || decode[key](t, again).Status != "active" {
		t.Errorf("a repeated request acted again: %s", again.body)
	}

	// The same name means another thing to another user.
	bob := a.create(t, a.add(t, "bob", "admin"))
	other := decode[key](t, bob.named(t, "create-1", "POST", keys, `{"description":"x"}`).ok(t, 201))
	the.keep(*other.SecretAccessKey)
	if other.AccessKeyID == k.AccessKeyID {
		t.Errorf("two users share the request ID create-1")
	}

	added := a.named(t, "add-1", "POST", "/v1/users", `{"name":"carol"}`).ok(t, 201)
	carol := decode[user](t, added).UserID
	a.do(t, "DELETE", "/v1/users/"+carol, "").ok(t, 204)
	if again := decode[user](t, a.named(t, "add-1", "POST", "/v1/users", `{"name":"carol"}`).ok(t, 201)); again.UserID != carol || again.Name != "carol" {
		t.Errorf("the first answer was about %s, and the repeat says %+v", carol, again)
	}

	// What was recorded about a user who is gone is answered as it was, too.
	dora := a.add(t, "dora", "user")
	herKeys := "/v1/users/" + dora + "/keys"
	hers := decode[key](t, a.named(t, "create-2", "POST", herKeys, "").ok(t, 201))
	the.keep(*hers.SecretAccessKey)
	a.named(t, "change-2", "PATCH", "/v1/users/"+dora, `{"role":"auditor"}`).ok(t, 200)
	a.do(t, "PATCH", "/v1/keys/"+hers.AccessKeyID, `{"status":"disabled"}`).ok(t, 200)
	a.do(t, "DELETE", "/v1/keys/"+hers.AccessKeyID, "").ok(t, 200)
	a.do(t, "POST", "/v1/keys/"+hers.AccessKeyID+"/purge", "").ok(t, 200)
	a.do(t, "DELETE", "/v1/users/"+dora, "").ok(t, 204)
	if again := decode[key](t, a.named(t, "create-2", "POST", herKeys, "").ok(t, 201)); again.AccessKeyID != hers.AccessKeyID || again.SecretAccessKey != nil {
		t.Errorf("a repeat after its user was removed: %+v", again)
	}
	refused(t, a.named(t, "create-2", "POST", herKeys, `{"description":"other"}`), 422, "request.reused")
	refused(t, a.named(t, "change-2", "PATCH", "/v1/users/"+dora, `{"role":"admin"}`), 422, "request.reused")
	refused(t, a.named(t, "create-3", "POST", herKeys, ""), 404, "user.not_found")

	body := fmt.Sprintf(`{"name":%q}`, unique("opened"))
	opened := decode[key](t, the.root.named(t, "open-"+body[9:20], "POST", "/v1/accounts", body).ok(t, 201))
	the.keep(*opened.SecretAccessKey)
	if again := decode[key](t, the.root.named(t, "open-"+body[9:20], "POST", "/v1/accounts", body).ok(t, 201)); again.AccountID != opened.AccountID || again.SecretAccessKey != nil {
		t.Errorf("an account was opened twice: %+v", again)
	}
}

// TestOneRequestManyTimes: however many send one request at once, one key is
// made and its secret goes out once.
func TestOneRequestManyTimes(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":100}}`)
	u := a.add(t, "alice", "user")
	answers := make([]answer, 24)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = a.named(t, "once", "POST", "/v1/users/"+u+"/keys", "") })
	}
	group.Wait()
	ids, secrets := map[string]bool{}, 0
	for _, got := range answers {
		k := decode[key](t, got.ok(t, 201))
		ids[k.AccessKeyID] = true
		if k.SecretAccessKey != nil {
			the.keep(*k.SecretAccessKey)
			secrets++
		}
	}
	if len(ids) != 1 || secrets != 1 {
		t.Errorf("%d keys and %d secrets", len(ids), secrets)
	}
}

// TestReadYourWrites: whoever asks for the position of a write sees it, and what
// a command answered holds for the next question even without.
func TestReadYourWrites(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":100}}`)
	u := a.add(t, "alice", "user")
	for i := range 20 {
		wrote := a.do(t, "POST", "/v1/users/"+u+"/keys", "").ok(t, 201)
		k := decode[key](t, wrote)
		the.keep(*k.SecretAccessKey)
		for _, list := range []string{"/v1/users/" + u + "/keys?limit=1", "/v1/keys?limit=1"} {
			for _, ask := range []string{list, fmt.Sprint(list, "&min_position=", wrote.position(t))} {
				if got := decode[page[key]](t, a.get(t, ask).ok(t, 200)).Items; len(got) != 1 || got[0].AccessKeyID != k.AccessKeyID {
					t.Fatalf("after write %d, %s shows %+v, want %s", i, ask, got, k.AccessKeyID)
				}
			}
		}
		events := decode[page[event]](t, a.get(t, fmt.Sprint("/v1/audit?limit=1&min_position=", wrote.position(t))).ok(t, 200)).Items
		if len(events) != 1 || events[0].Position != wrote.position(t) {
			t.Fatalf("the audit shows %+v", events)
		}
	}
}

type event struct {
	Position uint64
	Event    struct {
		ID, Type, Subject, Actor, ActorKey, RequestID, SourceIP, Dialect, Time string
		Data                                                                   map[string]any
	}
}

func TestLists(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":100},"recycle":{"max_per_user":0}}`)
	var newestUsers, newestKeys, newestDeleted []string
	for i := range 7 {
		u := a.add(t, fmt.Sprint("user-", i), "user")
		newestUsers = append([]string{u}, newestUsers...)
		for j := range 3 {
			status := []string{"active", "disabled", "deleted"}[(i+j)%3]
			k := a.in(t, u, status).id
			newestKeys = append([]string{k}, newestKeys...)
			if status == "deleted" {
				newestDeleted = append([]string{k}, newestDeleted...)
			}
		}
	}
	one := newestUsers[3]
	keyID := func(k key) string { return k.AccessKeyID }
	for path, want := range map[string][]string{
		"/v1/users?":                           append(slices.Clone(newestUsers), a.root),
		"/v1/keys?":                            append(slices.Clone(newestKeys), a.client.id),
		"/v1/keys?status=deleted":              newestDeleted,
		"/v1/recycle-bin?":                     newestDeleted,
		"/v1/recycle-bin?user_id=" + one + "&": newestDeleted[3:4],
		"/v1/users/" + one + "/keys?":          newestKeys[9:12],
	} {
		for _, limit := range []int{1, 2, 3, 100, 1000} {
			var got []string
			if strings.HasPrefix(path, "/v1/users?") {
				got = all(t, a.client, path, limit, func(u user) string { return u.UserID })
			} else {
				got = all(t, a.client, path, limit, keyID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s in pages of %d:\n got %v\nwant %v", path, limit, got, want)
			}
		}
	}
	for _, path := range []string{"/v1/audit?", "/v1/audit?action=key.created", "/v1/keys/" + newestDeleted[0] + "/history?"} {
		whole := all(t, a.client, path, 1000, eventID)
		if got := all(t, a.client, path, 4, eventID); !slices.Equal(got, whole) || len(whole) < 3 {
			t.Errorf("%s: in pages of 4\n got %v\nwant %v", path, got, whole)
		}
	}
	names := decode[page[accountShape]](t, the.root.get(t, "/v1/accounts?name="+t.Name()).ok(t, 200)).Items
	if len(names) != 1 || names[0].AccountID != a.id {
		t.Errorf("accounts of this name: %+v", names)
	}
	accounts := all(t, the.root, "/v1/accounts?", 1000, func(a accountShape) string { return a.AccountID })
	if got := all(t, the.root, "/v1/accounts?", 3, func(a accountShape) string { return a.AccountID }); !slices.Equal(got, accounts) || !slices.Contains(got, a.id) {
		t.Errorf("accounts:\n got %v\nwant %v", got, accounts)
	}
	if got := decode[page[user]](t, a.get(t, "/v1/users?name=USER-3").ok(t, 200)).Items; len(got) != 1 || got[0].UserID != one {
		t.Errorf("the user of a name: %+v", got)
	}
}

type accountShape struct {
	AccountID string `json:"account_id"`
	Preset    string
	Policy    struct {
		Quota struct{ Max int }
	}
}

func eventID(e event) string { return e.Event.ID }

// all is every item of a list, page by page, by name.
func all[T any](t *testing.T, c client, path string, limit int, name func(T) string) []string {
	t.Helper()
	var out []string
	for cursor := ""; ; {
		p := decode[page[T]](t, c.get(t, fmt.Sprint(path, "&limit=", limit, cursor)).ok(t, 200))
		if len(p.Items) > limit {
			t.Fatalf("%s: %d items on a page of %d", path, len(p.Items), limit)
		}
		for _, item := range p.Items {
			out = append(out, name(item))
		}
		if p.NextCursor == "" {
			return out
		}
		cursor = "&cursor=" + p.NextCursor
	}
}

// TestListWhileItGrows: a list that is being paged shows what was there at its
// beginning once and whole, whatever is added or deleted meanwhile.
func TestListWhileItGrows(t *testing.T) {
	a := open(t, "strict", `{"quota":{"max":100},"recycle":{"max_per_user":0}}`)
	u := a.add(t, "alice", "user")
	var want []string
	for range 12 {
		want = append([]string{a.in(t, u, "disabled").id}, want...)
	}
	path := "/v1/users/" + u + "/keys?limit=2"
	var got []string
	for cursor, n := "", 0; ; n++ {
		p := decode[page[key]](t, a.get(t, path+cursor).ok(t, 200))
		for _, k := range p.Items {
			got = append(got, k.AccessKeyID)
		}
		if p.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + p.NextCursor
		a.create(t, u)
		a.do(t, "DELETE", "/v1/keys/"+want[n], "").ok(t, 200) // seen already: it stays where it is
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestAuditFilters(t *testing.T) {
	a := open(t, "strict", "")
	alice := a.add(t, "alice", "admin")
	signer := a.create(t, alice)
	bob := a.add(t, "bob", "user")
	k := signer.in(t, bob, "purged")
	count := func(query string, want ...string) {
		t.Helper()
		var got []string
		for _, e := range decode[page[event]](t, a.get(t, "/v1/audit?"+query).ok(t, 200)).Items {
			name := strings.TrimSuffix(strings.TrimPrefix(e.Event.Type, "dev.keyledger."), ".v1")
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	life := []string{"key.purged", "key.deleted", "key.disabled", "key.created"}
	count("access_key_id="+k.id, life...)
	count("user_id="+bob, append(slices.Clone(life), "user.added")...)
	count("actor="+a.id+"/"+alice, life...)
	count("actor=" + a.id + "/" + bob)
	count("action=key.deleted", "key.deleted")
	count("action=key.created&user_id="+alice, "key.created")
	count("access_key_id=KLAK0000000000000000")
	count("access_key_id=" + the.root.id) // of another account
	history := decode[page[event]](t, a.get(t, "/v1/keys/"+k.id+"/history").ok(t, 200)).Items
	middle := history[1].Event.Time
	count("access_key_id="+k.id+"&since="+middle, "key.purged", "key.deleted")
	count("access_key_id="+k.id+"&until="+middle, "key.disabled", "key.created")
	e := history[0].Event
	if e.Actor != a.id+"/"+alice || e.ActorKey != signer.id || e.SourceIP != "127.0.0.1" || e.Dialect != "native" || e.RequestID == "" {
		t.Errorf("who did it: %+v", e)
	}
	whole := a.get(t, "/v1/audit?limit=1000").ok(t, 200)
	if strings.Contains(string(whole.body), "sealed") || strings.Contains(string(whole.body), "ciphertext") {
		t.Errorf("the audit shows what is sealed")
	}
}

func TestRecycleBin(t *testing.T) {
	a := open(t, "alibaba", "")
	u := a.add(t, "alice", "user")
	bin := func() (out []string) {
		for _, k := range decode[page[key]](t, a.get(t, "/v1/recycle-bin?user_id="+u).ok(t, 200)).Items {
			out = append(out, k.AccessKeyID)
		}
		return out
	}
	var keys []string
	for range 4 { // three fit: the oldest is purged for the fourth
		keys = append([]string{a.in(t, u, "deleted").id}, keys...)
	}
	if got := bin(); !slices.Equal(got, keys[:3]) {
		t.Errorf("the bin holds %v, want %v", got, keys[:3])
	}
	if k := decode[key](t, a.get(t, "/v1/keys/"+keys[3])); k.Status != "purged" || k.PurgedAt == "" || k.PurgeAt != "" {
		t.Errorf("the oldest: %+v", k)
	}
	restored := decode[key](t, a.do(t, "POST", "/v1/keys/"+keys[1]+"/restore", "").ok(t, 200))
	if restored.Status != "disabled" || restored.DeletedAt != "" || restored.PurgeAt != "" {
		t.Errorf("restored: %+v", restored)
	}
	if got := bin(); !slices.Equal(got, []string{keys[0], keys[2]}) {
		t.Errorf("after a restore the bin holds %v", got)
	}
	root := decode[key](t, a.do(t, "POST", "/v1/users/"+a.root+"/keys", "").ok(t, 201))
	the.keep(*root.SecretAccessKey)
	if !slices.Equal(root.Warnings, []string{"root.create"}) {
		t.Errorf("a root key warns of %v", root.Warnings)
	}
	at := "/v1/keys/" + root.AccessKeyID
	a.do(t, "PATCH", at, `{"status":"disabled"}`).ok(t, 200)
	if k := decode[key](t, a.do(t, "DELETE", at, "").ok(t, 200)); k.Status != "purged" {
		t.Errorf("a root key goes to %s: there is no bin for it", k.Status)
	}
}

// TestRetention: what is due is purged by itself.
func TestRetention(t *testing.T) {
	a := open(t, "strict", `{"recycle":{"retention_seconds":1}}`)
	k := a.in(t, a.add(t, "alice", "user"), "deleted")
	due := moment(t, decode[key](t, a.get(t, "/v1/keys/"+k.id)).PurgeAt)
	tick, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		got := decode[key](t, a.get(t, "/v1/keys/"+k.id).ok(t, 200))
		if got.Status == "purged" {
			if moment(t, got.PurgedAt).Before(due) {
				t.Errorf("purged at %s, due at %s", got.PurgedAt, due)
			}
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("due at %s, and still there", due)
		}
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestPolicies(t *testing.T) {
	a := open(t, "aws", "")
	u := a.add(t, "alice", "user")
	policy := "/v1/accounts/" + a.id + "/policy"
	set := func(body string) accountShape {
		t.Helper()
		return decode[accountShape](t, a.do(t, "PUT", policy, body).ok(t, 200))
	}
	a.create(t, u)
	second := a.create(t, u)
	a.do(t, "DELETE", "/v1/keys/"+second.id, "").ok(t, 200) // active, and for good
	if k := decode[key](t, a.get(t, "/v1/keys/"+second.id)); k.Status != "purged" {
		t.Errorf("aws keeps a bin: %+v", k)
	}
	if got := set(`{"overrides":{"quota":{"max":1}}}`); got.Preset != "aws" || got.Policy.Quota.Max != 1 {
		t.Errorf("overrides alone: %+v", got)
	}
	refused(t, a.do(t, "POST", "/v1/users/"+u+"/keys", ""), 409, "key.quota")
	if got := set(`{"preset":"strict"}`); got.Preset != "strict" || got.Policy.Quota.Max != 2 {
		t.Errorf("a new preset forgets the overrides: %+v", got)
	}
	third := a.create(t, u)
	refused(t, a.do(t, "DELETE", "/v1/keys/"+third.id, ""), 409, "delete.requires_disabled")

	// A policy that narrows the schemes shuts out those who cannot sign so.
	set(`{"overrides":{"signature":{"schemes":["MUTE-HMAC-SHA256"]}}}`)
	refused(t, a.get(t, "/v1/caller"), 401, "signature.refused")
	the.root.do(t, "PUT", policy, `{"overrides":{"root":{"create":"deny"}}}`).ok(t, 200)
	refused(t, a.do(t, "POST", "/v1/users/"+a.root+"/keys", ""), 403, "root.create")
	if before, after := a.do(t, "PUT", policy, `{"overrides":{"root":{"create":"deny"}}}`).ok(t, 200), a.get(t, "/v1/audit?action=account.policy.changed"); len(decode[page[event]](t, after).Items) != 4 {
		t.Errorf("a policy that is in force was recorded again: %s", before.body)
	}
}

func TestUsers(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	at := "/v1/users/" + u
	changed := a.do(t, "PATCH", at, `{"name":"Alicia","role":"auditor","grants":["manage-own-keys"]}`).ok(t, 200)
	var together []string
	for _, e := range decode[page[event]](t, a.get(t, "/v1/audit?user_id="+u).ok(t, 200)).Items {
		if e.Position == changed.position(t) {
			together = append(together, e.Event.Type)
		}
	}
	if len(together) != 3 {
		t.Errorf("three changes are %v at one position", together)
	}
	if got := decode[user](t, a.get(t, at)); got.Name != "Alicia" || got.Role != "auditor" || !slices.Equal(got.Grants, []string{"manage-own-keys"}) {
		t.Errorf("changed: %+v", got)
	}
	same := a.do(t, "PATCH", at, `{"name":"Alicia","grants":["manage-own-keys"]}`).ok(t, 200)
	if same.position(t) != changed.position(t) {
		t.Errorf("what holds already was recorded again at %d", same.position(t))
	}
	if got := decode[user](t, a.do(t, "PATCH", at, `{"grants":[]}`).ok(t, 200)); len(got.Grants) != 0 {
		t.Errorf("grants taken back: %+v", got)
	}

	k := a.in(t, u, "deleted")
	refused(t, a.do(t, "DELETE", at, ""), 409, "keyring.keys_exist")
	if again := a.in(t, u, "deleted"); again.id == "" {
		t.Errorf("a refused removal left the keyring closed")
	} else {
		a.do(t, "POST", "/v1/keys/"+again.id+"/purge", "").ok(t, 200)
	}
	a.do(t, "POST", "/v1/keys/"+k.id+"/purge", "").ok(t, 200)
	removed := a.named(t, "remove-1", "DELETE", at, "").ok(t, 204)
	if again := a.named(t, "remove-1", "DELETE", at, "").ok(t, 204); again.position(t) != removed.position(t) {
		t.Errorf("removed again at %d", again.position(t))
	}
	refused(t, a.get(t, at), 404, "user.not_found")
	refused(t, a.do(t, "POST", at+"/keys", ""), 404, "user.not_found")
	if name := a.add(t, "alicia", "user"); name == u {
		t.Errorf("a user ID was used twice")
	}
}

// TestGrants: a change of role, grant or policy binds what begins after it
// returned.
func TestGrants(t *testing.T) {
	a := open(t, "cdnetworks", "")
	u := a.add(t, "alice", "user")
	c := a.create(t, u)
	create := func() answer {
		got := c.do(t, "POST", "/v1/users/"+u+"/keys", "")
		if got.status == 201 {
			the.keep(*decode[key](t, got).SecretAccessKey)
		}
		return got
	}
	for range 3 {
		refused(t, create(), 403, "permission.denied")
		a.do(t, "PATCH", "/v1/users/"+u, `{"grants":["manage-own-keys"]}`).ok(t, 200)
		if got := create(); got.status != 201 {
			t.Errorf("granted, and answered %d %s", got.status, got.body)
		}
		a.do(t, "PATCH", "/v1/users/"+u, `{"grants":[]}`).ok(t, 200)
	}
	refused(t, c.get(t, "/v1/audit"), 403, "permission.denied")
	a.do(t, "PATCH", "/v1/users/"+u, `{"role":"auditor"}`).ok(t, 200)
	c.get(t, "/v1/audit").ok(t, 200)
}
