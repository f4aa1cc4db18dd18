package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A follower reads events as they come.
type follower struct {
	*testing.T
	lines *bufio.Scanner
	close func()
}

// An eventLine is a line of JSON Lines.
type eventLine struct {
	Cursor string
	Event  *struct{ ID, Type, Subject, Source string }
	End    *struct {
		Code      string
		Resumable bool
	}
}

// follow begins to read.
func (c client) follow(t *testing.T, path string, before ...func(*http.Request)) *follower {
	t.Helper()
	req := c.request(t, call{method: "GET", path: path, before: func(r *http.Request) {
		r.Header.Set("Accept", "application/x-ndjson")
		for _, f := range before {
			f(r)
		}
	}})
	res, err := direct.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != 200 {
		t.Fatalf("%s: got %d", path, res.StatusCode)
	}
	return &follower{t, bufio.NewScanner(res.Body), func() { _ = res.Body.Close() }}
}

func (f *follower) next() (l eventLine) {
	f.Helper()
	if !f.lines.Scan() {
		f.Fatalf("it broke off: %v", f.lines.Err())
	}
	if err := json.Unmarshal(f.lines.Bytes(), &l); err != nil {
		f.Fatalf("%v: %s", err, f.lines.Bytes())
	}
	return l
}

// event is the next that is told.
func (f *follower) event() eventLine {
	f.Helper()
	for {
		if l := f.next(); l.Event != nil || l.End != nil {
			return l
		}
	}
}

// TestEventsAreFollowed hears of what happens after it began, cut off and gone on from
// the last cursor.
func TestEventsAreFollowed(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	f := a.follow(t, "/v1/events?type=key.created,dev.keyledger.key.disabled.v1")
	f.next() // it is there
	k := a.create(t, u)
	first := f.event()
	if first.Event == nil || first.Event.Type != "dev.keyledger.key.created.v1" || first.Event.Subject != k.id || first.Event.Source != "/accounts/"+a.id+"/users/"+u {
		t.Fatalf("got %+v", first)
	}
	f.close()
	a.do(t, "PATCH", "/v1/keys/"+k.id, `{"status":"disabled"}`).ok(t, 200)
	f = a.follow(t, "/v1/events?from=earliest&type=key.created,key.disabled", header("Last-Event-ID", first.Cursor))
	if second := f.event(); second.Event == nil || second.Event.Type != "dev.keyledger.key.disabled.v1" {
		t.Errorf("gone on from %s: got %+v", first.Cursor, second)
	}
}

// TestUsesAreFollowed: a verified request is told once, with the id of its record.
func TestUsesAreFollowed(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	k := a.create(t, u)
	f := a.follow(t, "/v1/events?type=key.used&access_key_id="+k.id)
	f.next()
	k.get(t, "/v1/caller").ok(t, 200)
	got := f.event()
	if got.Event == nil || got.Event.Type != "dev.keyledger.key.used.v1" || got.Event.Subject != k.id {
		t.Fatalf("got %+v", got)
	}
	again := a.follow(t, "/v1/events?from=earliest&follow=false&type=key.used&access_key_id="+k.id)
	if same := again.event(); same.Event == nil || same.Event.ID != got.Event.ID {
		t.Errorf("told again: got %+v, want the id %s", same, got.Event.ID)
	}
	records := decode[page[struct{ ID string }]](t, a.get(t, "/v1/keys/"+k.id+"/records").ok(t, 200))
	if len(records.Items) != 1 || records.Items[0].ID != got.Event.ID {
		t.Errorf("the record is %+v, the event %s", records.Items, got.Event.ID)
	}
}

// TestEventsOfUser: a user reads what concerns its own keys, and a key's events alone.
func TestEventsOfUser(t *testing.T) {
	a := open(t, "strict", "")
	alice, bob := a.add(t, "alice", "user"), a.add(t, "bob", "user")
	mine, his := a.create(t, alice), a.create(t, bob)
	told := func(c client, query string) (about []string) {
		f := c.follow(t, "/v1/events?from=earliest&follow=false&type=key.created"+query)
		for l := f.event(); l.End == nil; l = f.event() {
			about = append(about, l.Event.Subject)
		}
		return about
	}
	if got := told(mine, "&user_id="+alice); !slices.Equal(got, []string{mine.id}) {
		t.Errorf("its own: got %q", got)
	}
	if got := told(mine, "&access_key_id="+mine.id); !slices.Equal(got, []string{mine.id}) {
		t.Errorf("its own key: got %q", got)
	}
	if got := told(a.client, "&access_key_id="+his.id); !slices.Equal(got, []string{his.id}) {
		t.Errorf("the root of another's key: got %q", got)
	}
	refused(t, mine.get(t, "/v1/events?follow=false&user_id="+bob), 404, "user.not_found")
	refused(t, mine.get(t, "/v1/events?follow=false&access_key_id="+his.id), 404, "key.not_found")
	refused(t, mine.get(t, "/v1/events?follow=false"), 403, "permission.denied")
	foreign := open(t, "strict", "")
	if got := told(foreign.client, ""); slices.Contains(got, mine.id) || slices.Contains(got, the.root.id) {
		t.Errorf("another account is told %q", got)
	}
	if got := told(the.root, "&account_id=all"); !slices.Contains(got, mine.id) || !slices.Contains(got, the.root.id) {
		t.Errorf("the operator is told %q of all accounts", got)
	}
}

// TestReaderIsCutOff ends the reader whose key is disabled, the one whose key leaked, the one that may not come from where
// it is any more, and the one whose user is an auditor no more.
func TestReaderIsCutOff(t *testing.T) {
	a := open(t, "strict", "")
	one, two, three := a.add(t, "one", "auditor"), a.add(t, "two", "auditor"), a.add(t, "three", "auditor")
	k, l, m, n := a.create(t, one), a.create(t, one), a.create(t, two), a.create(t, three)
	const quiet = "/v1/events?type=user.added"
	readers := []*follower{k.follow(t, quiet), l.follow(t, quiet), m.follow(t, quiet), n.follow(t, quiet)}
	for _, f := range readers {
		f.next()
	}
	a.do(t, "PATCH", "/v1/keys/"+k.id, `{"status":"disabled"}`).ok(t, 200)
	a.do(t, "POST", "/v1/keys/"+l.id+"/restrict", leak).ok(t, 200)
	a.do(t, "PATCH", "/v1/users/"+two, `{"role":"user"}`).ok(t, 200)
	a.do(t, "PUT", "/v1/keys/"+n.id+"/network-policy", allowing("192.0.2.1")).ok(t, 200)
	for _, f := range readers {
		if end := f.event(); end.End == nil || end.End.Code != "events.denied" || end.End.Resumable {
			t.Errorf("got %+v", end)
		}
	}
}

// TestNoSecretInEvents reads everything that ever happened here, as the operator.
func TestNoSecretInEvents(t *testing.T) {
	a := open(t, "strict", "")
	a.create(t, a.add(t, "alice", "user"))
	a.gateway(t, "edge")
	for _, accept := range []string{"text/event-stream", "application/x-ndjson"} {
		all := the.root.send(t, with(get("/v1/events?account_id=all&from=earliest&follow=false"), header("Accept", accept))).ok(t, 200)
		text := string(all.body)
		if all.header.Get("Content-Type") != accept || !strings.Contains(text, "key.created") || !strings.Contains(text, "gateway.token.created") {
			t.Fatalf("got %s: %.300s", all.header.Get("Content-Type"), text)
		}
		if the.leaks(all.body) {
			t.Error("a secret left")
		}
		for _, name := range []string{"sealed", "ciphertext", "wrapped_key", "token_sha256", "replay"} {
			if strings.Contains(text, name) {
				t.Errorf("%q left", name)
			}
		}
	}
}

// TestServerSentEvents holds the form to the HTML standard.
func TestServerSentEvents(t *testing.T) {
	a := open(t, "strict", "")
	a.create(t, a.add(t, "alice", "user"))
	text := string(a.get(t, "/v1/events?from=earliest&follow=false&type=key.created").ok(t, 200).body)
	blocks := strings.Split(strings.TrimSuffix(text, "\n\n"), "\n\n")
	for i, b := range blocks {
		lines := strings.Split(b, "\n")
		if i == 0 && lines[0] == ": alive" && strings.HasPrefix(lines[1], "id: 1-") && len(lines) == 2 {
			continue
		}
		want := "event: dev.keyledger.key.created.v1"
		if i == len(blocks)-1 {
			want = "event: end"
		}
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "id: 1-") || lines[1] != want || !json.Valid([]byte(strings.TrimPrefix(lines[2], "data: "))) {
			t.Errorf("block %d: %q", i, b)
		}
	}
	if len(blocks) != 4 {
		t.Errorf("got %d blocks, want the place, two events and the end", len(blocks))
	}
}

// TestEventsUntil is told nothing of a time or later. When that ends a reader, the feed's own
// test shows.
func TestEventsUntil(t *testing.T) {
	a := open(t, "strict", "")
	u := a.add(t, "alice", "user")
	first := a.create(t, u)
	until := time.Now().UTC()
	a.create(t, u)
	f := a.follow(t, "/v1/events?from=earliest&follow=false&type=key.created&until="+until.Format(time.RFC3339Nano))
	var about []string
	l := f.event()
	for ; l.End == nil; l = f.event() {
		about = append(about, l.Event.Subject)
	}
	if !slices.Equal(about, []string{a.client.id, first.id}) || l.End.Code != "events.caught_up" {
		t.Errorf("got %q and %+v", about, l.End)
	}
}

func TestBadEvents(t *testing.T) {
	a := open(t, "strict", "")
	at := func(query string) call { return get("/v1/events?follow=false&" + query) }
	for _, b := range []bad{
		{"an unknown type", at("type=key.vanished"), 422, "request.invalid"},
		{"an empty type between others", at("type=key.created,,key.used"), 422, "request.invalid"},
		{"no type", at("type="), 422, "request.invalid"},
		{"no key", at("type=key.used&access_key_id="), 422, "request.invalid"},
		{"no user", at("user_id="), 422, "request.invalid"},
		{"an account without a number", at("account_id="), 422, "request.invalid"},
		{"until nothing", at("until="), 422, "request.invalid"},
		{"types without end", at("type=" + strings.Repeat("key.used,", 100) + "key.used"), 422, "request.invalid"},
		{"no place", at("from=yesterday"), 422, "cursor.invalid"},
		{"half a cursor", at("from=1-1.0"), 422, "cursor.invalid"},
		{"a cursor that is ahead", at("from=1-999999999.0-1.0"), 422, "events.ahead"},
		{"a position that is ahead", at("from=999999999"), 422, "events.ahead"},
		{"a time that is ahead", at("from=2999-01-01T00:00:00Z"), 422, "events.ahead"},
		{"a time long ago", at("from=1999-12-31T00:00:00Z"), 410, "events.expired"},
		{"a Last-Event-ID that is none", with(at(""), header("Last-Event-ID", "now")), 422, "cursor.invalid"},
		{"no account", at("account_id=12"), 422, "request.invalid"},
		{"all accounts", at("account_id=all"), 403, "permission.denied"},
		{"neither to follow nor not", get("/v1/events?follow=perhaps"), 422, "request.invalid"},
		{"neither, and given", get("/v1/events?follow="), 422, "request.invalid"},
		{"an unknown parameter", at("before=2026-01-01T00:00:00Z"), 422, "request.invalid"},
		{"until the year 1", at("until=0001-01-01T00:00:00Z"), 422, "request.invalid"},
		{"until no time", at("until=yesterday"), 422, "request.invalid"},
		{"until before it begins", at("from=2026-11-01T00:00:01Z&until=2026-11-01T00:00:00Z"), 422, "request.invalid"},
		{"until long ago", at("from=earliest&until=1999-12-31T00:00:00Z"), 410, "events.expired"},
		{"a key that there is not", at("access_key_id=KLAK0000000000000000"), 404, "key.not_found"},
		{"a key of another account", at("access_key_id=" + the.root.id), 404, "key.not_found"},
		{"a key of another user", at("access_key_id=" + a.client.id + "&user_id=" + a.add(t, "bob", "user")), 404, "key.not_found"},
		{"a user that there is not", at("user_id=999999999999999999"), 404, "user.not_found"},
	} {
		b.run(t, a.client)
	}
	bad{"a key that there is not, of all accounts", get("/v1/events?account_id=all&access_key_id=KLAK0000000000000000"), 404, "key.not_found"}.run(t, the.root)
	bad{"a user of all accounts", get(fmt.Sprintf("/v1/events?account_id=all&user_id=%s", a.root)), 422, "request.invalid"}.run(t, the.root)
}
