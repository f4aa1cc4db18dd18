package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
)

// A tenant is an account that writers work in.
type tenant struct {
	caller        // its root user
	shared string // a user whose keys everybody works on
	strict bool   // a key is disabled before it is deleted
}

// A writer does one thing after the other, each of which it knows to change
// something, unless it works on the shared user.
type writer struct {
	caller
	tenant *tenant
	name   string
	lots   *rand.Rand
	user   string // its own
	n      int
}

// id names the writer's next operation. Half of the names are UUIDs.
func (w *writer) id() string {
	w.n++
	if w.n%2 == 0 {
		return fmt.Sprintf("%08x-0000-7000-8000-%012x", w.lots.Uint32(), w.lots.Uint64()>>16)
	}
	return fmt.Sprintf("%s-%d", w.name, w.n)
}

// run works until the load is told to end.
func (w *writer) run(step func(*writer)) {
	for !w.load.quit.Load() && w.load.ctx.Err() == nil {
		step(w)
	}
}

// A keyState is a key as its user's list shows it.
type keyState struct {
	ID     string `json:"access_key_id"`
	Status string `json:"status"`
}

// onKeys does something to a key of a user that the key's state allows.
func onKeys(w *writer) {
	user, alone := w.user, true
	if w.lots.IntN(8) == 0 {
		user, alone = w.tenant.shared, false
	}
	var list struct {
		Items []keyState `json:"items"`
	}
	if !w.ask("/v1/users/"+user+"/keys?limit=100", &list) {
		return
	}
	choices := w.choices(user, list.Items)
	k := choices[w.lots.IntN(len(choices))]
	k.id = w.id()
	k.always = k.always || alone
	w.do(k, w.lots)
}

// choices is what can be done to a user's keys. What is always a change says so.
func (w *writer) choices(user string, keys []keyState) []command {
	create := command{method: http.MethodPost, path: "/v1/users/" + user + "/keys", body: w.described(), always: true}
	out := []command{create}
	for _, k := range keys {
		path := "/v1/keys/" + k.ID
		switch k.Status {
		case "active":
			out = append(out, command{method: http.MethodPatch, path: path, body: `{"status":"disabled","reason":"a test"}`})
			if !w.tenant.strict {
				out = append(out, command{method: http.MethodDelete, path: path})
			}
		case "disabled":
			out = append(out, command{method: http.MethodPatch, path: path, body: `{"status":"active"}`}, command{method: http.MethodDelete, path: path})
		case "deleted":
			out = append(out, command{method: http.MethodPost, path: path + "/restore"}, command{method: http.MethodPost, path: path + "/purge"})
			continue
		}
		out = append(out, command{method: http.MethodPatch, path: path, body: w.described()})
	}
	return out
}

func (w *writer) described() string { return fmt.Sprintf(`{"description":"%s %d"}`, w.name, w.n) }

// A clerk keeps the users and the policy of an account.
type clerk struct {
	writer
	users []string // its own, without keys
	quota int
}

func (c *clerk) step(*writer) {
	switch c.lots.IntN(5) {
	case 0, 1:
		c.addUser()
	case 2:
		c.withUser(func(user string) command {
			return command{method: http.MethodPatch, path: "/v1/users/" + user, body: fmt.Sprintf(`{"name":%q}`, c.userName()), always: true}
		})
	case 3:
		c.removeUser()
	default:
		c.setPolicy()
	}
}

func (c *clerk) userName() string { return fmt.Sprintf("%s.%d", c.name, c.n) }

func (c *clerk) addUser() {
	k := command{id: c.id(), method: http.MethodPost, path: "/v1/users", always: true}
	k.body = fmt.Sprintf(`{"name":%q}`, c.userName())
	a, state := c.do(k, c.lots)
	var user struct {
		ID string `json:"user_id"`
	}
	if state == acknowledged && json.Unmarshal(a.body, &user) == nil {
		c.users = append(c.users, user.ID)
	}
}

func (c *clerk) withUser(make func(user string) command) {
	if len(c.users) == 0 {
		return
	}
	id := c.id() // before the name that it is part of
	k := make(c.users[c.lots.IntN(len(c.users))])
	k.id = id
	c.do(k, c.lots)
}

// removeUser removes one of its own users, and now and then tries one who has keys.
// It asks until it knows: what a client leaves half done is finished by the
// server, but not within a short test.
func (c *clerk) removeUser() {
	user := c.tenant.shared
	if len(c.users) > 0 && c.lots.IntN(4) > 0 {
		i := c.lots.IntN(len(c.users))
		user = c.users[i]
		c.users = slices.Delete(c.users, i, i+1)
	}
	c.do(command{id: c.id(), method: http.MethodDelete, path: "/v1/users/" + user, always: true, patient: true}, c.lots)
}

// setPolicy changes the quota to another one. It asks until it knows, so that
// it knows what the other one is.
func (c *clerk) setPolicy() {
	c.quota = 2 + (c.quota-2+1+c.lots.IntN(3))%4
	k := command{id: c.id(), method: http.MethodPut, path: "/v1/accounts/" + c.key.AccountID + "/policy", always: true, patient: true}
	k.body = fmt.Sprintf(`{"overrides":{"quota":{"max":%d}}}`, c.quota)
	c.do(k, c.lots)
}

// openAccount opens one account after the other. It asks until it knows, because
// nobody else can finish an opening: the root key's secret is its alone.
func openAccount(w *writer) {
	k := command{id: w.id(), method: http.MethodPost, path: "/v1/accounts", always: true, patient: true}
	k.body = fmt.Sprintf(`{"name":"%s %d"}`, w.name, w.n)
	w.do(k, w.lots)
}
