package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"
)

// A model is what a person would write on paper about the keys of a user of an
// account with the preset alibaba: two keys, a bin of three, the oldest out for one in.
type model struct {
	keys []modelled // in the order of their creation
	bin  []string   // in the order of their deletion
}

type modelled struct{ id, status, description string }

func (m *model) find(id string) *modelled {
	for i := range m.keys {
		if m.keys[i].id == id {
			return &m.keys[i]
		}
	}
	return nil
}

// act does what a command does, and says which status answers it.
func (m *model) act(command, id, text string) int {
	k := m.find(id)
	if k.status == "purged" {
		return 410
	}
	in := k.status
	switch command {
	case "describe":
		k.description = text
	case "disable", "enable":
		if in == "deleted" {
			return 409
		}
		k.status = map[string]string{"disable": "disabled", "enable": "active"}[command]
	case "delete":
		if in == "active" {
			return 409
		}
		if in == "deleted" {
			return 200
		}
		if len(m.bin) == 3 {
			m.find(m.bin[0]).status, m.bin = "purged", slices.Clone(m.bin[1:])
		}
		k.status, m.bin = "deleted", append(slices.Clone(m.bin), id)
	case "restore":
		if in == "active" || in == "deleted" && m.counted() >= 2 {
			return 409
		}
		k.status = "disabled"
		m.out(id)
	case "purge":
		if in != "deleted" {
			return 409
		}
		k.status = "purged"
		m.out(id)
	}
	return 200
}

func (m *model) out(id string) {
	m.bin = slices.DeleteFunc(slices.Clone(m.bin), func(in string) bool { return in == id })
}

func (m *model) counted() int {
	n := 0
	for _, k := range m.keys {
		if k.status == "active" || k.status == "disabled" {
			n++
		}
	}
	return n
}

// list is what a list shows: newest first, purged ones only when asked for.
func (m model) list(purged bool) []modelled {
	var out []modelled
	for _, k := range slices.Backward(m.keys) {
		if (k.status == "purged") == purged {
			out = append(out, k)
		}
	}
	return out
}

// A moment of a history: what was true from a position on.
type chapter struct {
	position uint64
	at       time.Time
	users    map[string]model
}

// TestPast holds every answer about the past to a model that was kept while it
// happened.
func TestPast(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	dice := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	a := open(t, "alibaba", "")
	users := []string{a.add(t, "alice", "user"), a.add(t, "bob", "user")}
	start := decode[struct{ Position uint64 }](t, a.get(t, "/v1/caller")).Position
	now := map[string]model{users[0]: {}, users[1]: {}}
	history := []chapter{{position: start, users: copied(now)}}
	for range 400 {
		u := users[dice.IntN(2)]
		m := now[u]
		m.keys = slices.Clone(m.keys)
		position, wrote := step(t, a, u, &m, dice)
		now[u] = m
		if wrote {
			history = append(history, chapter{position: position, users: copied(now)})
		}
	}
	times := map[uint64]time.Time{}
	for _, u := range users {
		for cursor := ""; ; {
			p := decode[page[event]](t, a.get(t, "/v1/audit?limit=500&user_id="+u+cursor).ok(t, 200))
			for _, e := range p.Items {
				times[e.Position] = moment(t, e.Event.Time)
			}
			if cursor = "&cursor=" + p.NextCursor; p.NextCursor == "" {
				break
			}
		}
	}
	for i := range history {
		history[i].at = times[history[i].position]
	}
	for range 150 {
		i := dice.IntN(len(history))
		c := history[i]
		u := users[dice.IntN(2)]
		asks := []string{fmt.Sprint("as_of_position=", c.position)}
		if !c.at.IsZero() {
			asks = append(asks, "as_of="+url.QueryEscape(c.at.Format(time.RFC3339Nano)))
		}
		if i+1 < len(history) {
			next := history[i+1]
			asks = append(asks, fmt.Sprint("as_of_position=", next.position-1),
				"as_of="+url.QueryEscape(next.at.Add(-time.Nanosecond).Format(time.RFC3339Nano)),
				"as_of="+url.QueryEscape(next.at.Add(-time.Nanosecond).In(time.FixedZone("", 3600)).Format(time.RFC3339Nano)))
		}
		for _, ask := range asks {
			asked(t, a, u, c.users[u], ask)
		}
	}
	present(t, a, users)
}

func copied(m map[string]model) map[string]model {
	out := map[string]model{}
	for u, k := range m {
		out[u] = k
	}
	return out
}

// step sends one command, sensible or not, and holds the answer to the model.
func step(t *testing.T, a account, u string, m *model, dice *rand.Rand) (position uint64, wrote bool) {
	t.Helper()
	commands := []string{"create", "disable", "enable", "delete", "delete", "restore", "purge", "describe"}
	command := commands[dice.IntN(len(commands))]
	if len(m.keys) == 0 || m.counted() == 0 && len(m.bin) == 0 {
		command = "create"
	}
	if command == "create" {
		got := a.do(t, "POST", "/v1/users/"+u+"/keys", `{"description":"new"}`)
		if m.counted() >= 2 {
			refused(t, got, 409, "key.quota")
			return 0, false
		}
		k := decode[key](t, got.ok(t, 201))
		the.keep(*k.SecretAccessKey)
		m.keys = append(m.keys, modelled{k.AccessKeyID, "active", "new"})
		return got.position(t), true
	}
	back := min(6, len(m.keys))
	id, text := m.keys[len(m.keys)-1-dice.IntN(back)].id, fmt.Sprint("text ", dice.IntN(3))
	before := slices.Clone(m.keys)
	want := m.act(command, id, text)
	got := a.send(t, commanded(command, id, text))
	if got.status != want {
		t.Fatalf("%s %s: got %d, want %d: %s", command, id, got.status, want, got.body)
	}
	if want != 200 || slices.Equal(before, m.keys) {
		return 0, false
	}
	return got.position(t), true
}

func commanded(command, id, text string) call {
	at := "/v1/keys/" + id
	switch command {
	case "disable":
		return patch(at, `{"status":"disabled"}`)
	case "enable":
		return patch(at, `{"status":"active"}`)
	case "describe":
		return patch(at, fmt.Sprintf(`{"description":%q}`, text))
	case "delete":
		return call{method: "DELETE", path: at}
	}
	return post(at+"/"+command, "")
}

// asked holds a list, and each key of it, to the model of that moment.
func asked(t *testing.T, a account, u string, m model, ask string) {
	t.Helper()
	for _, purged := range []bool{false, true} {
		status := ""
		if purged {
			status = "&status=purged"
		}
		var got []modelled
		for _, k := range decode[page[key]](t, a.get(t, "/v1/users/"+u+"/keys?"+ask+status).ok(t, 200)).Items {
			got = append(got, modelled{k.AccessKeyID, k.Status, k.Description})
			if (k.DeletedAt != "") != (k.Status == "deleted" || k.Status == "purged") || (k.PurgeAt != "") != (k.Status == "deleted") || (k.PurgedAt != "") != (k.Status == "purged") {
				t.Errorf("%s: the times of %+v do not go with its status", ask, k)
			}
		}
		if want := m.list(purged); !slices.Equal(got, want) {
			t.Errorf("%s %s:\n got %v\nwant %v", ask, status, got, want)
		}
	}
	for _, k := range m.keys {
		then := decode[key](t, a.get(t, "/v1/keys/"+k.id+"?"+ask).ok(t, 200))
		if (modelled{then.AccessKeyID, then.Status, then.Description}) != k {
			t.Errorf("%s: got %+v, want %+v", ask, then, k)
		}
	}
}

// present holds that the past as of now is the present, to the byte.
func present(t *testing.T, a account, users []string) {
	t.Helper()
	end := fmt.Sprint("as_of_position=", decode[struct{ Position uint64 }](t, a.get(t, "/v1/caller")).Position)
	for _, u := range users {
		for _, status := range []string{"", "&status=purged"} {
			now := a.get(t, "/v1/users/"+u+"/keys?limit=1000"+status).ok(t, 200)
			if then := a.get(t, "/v1/users/"+u+"/keys?"+end+status).ok(t, 200); string(then.body) != string(now.body) {
				t.Errorf("as of now:\n got %s\nwant %s", then.body, now.body)
			}
			for _, k := range decode[page[key]](t, now).Items {
				one, then := a.get(t, "/v1/keys/"+k.AccessKeyID), a.get(t, "/v1/keys/"+k.AccessKeyID+"?"+end)
				if string(one.body) != string(then.body) {
					t.Errorf("as of now:\n got %s\nwant %s", then.body, one.body)
				}
			}
		}
	}
}
