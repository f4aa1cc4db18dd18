package node_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/view"
)

// poison writes a message to the log of a stopped node as no ledger would, and
// says where it lies.
func (w *world) poison(s events.Subject, after events.Position, data string) events.Position {
	w.Helper()
	host, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, JetStream: true, StoreDir: w.path("data/log"), SyncAlways: true})
	w.must(err)
	host.Start()
	defer func() { host.Shutdown(); host.WaitForShutdown() }()
	nc, err := nats.Connect("", nats.InProcessServer(host))
	w.must(err)
	defer nc.Close()
	js, err := nc.JetStream()
	w.must(err)
	m := &nats.Msg{Subject: s.String(), Data: []byte(data), Header: nats.Header{"Nats-Expected-Last-Subject-Sequence": {fmt.Sprint(after)}}}
	ack, err := js.PublishMsg(m)
	w.must(err)
	return events.Position(ack.Sequence)
}

// fromTheFuture is an event that this build does not know.
func fromTheFuture(s events.Subject) string {
	return fmt.Sprintf(`[{"specversion":"1.0","id":"01900000-0000-7000-8000-000000000000","source":%q,"type":"dev.keyledger.key.gilded.v1",`+
		`"subject":"KLAK0000000000000000","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","actor":"system:tomorrow","requestid":"r","data":{}}]`, s.Source())
}

// stopped is the names of the projections that have stopped at a position.
func (w *world) stopped(n *node.Node, at events.Position) (names []string) {
	w.Helper()
	_, state := w.health(n)
	for _, p := range state["projections"].([]any) {
		p := p.(map[string]any)
		if why, _ := p["degraded"].(string); strings.HasPrefix(why, fmt.Sprintf("stopped at position %d: ", at)) {
			names = append(names, p["name"].(string))
		}
	}
	return names
}

// TestAcknowledge lets every projection pass a record that none can read. While
// they have stopped nothing is served, and the doctor says why.
func TestAcknowledge(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	user := w.client(n).ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	w.stop(n)
	keyring := events.KeyringSubject(w.installation().Operator, events.UserID(user))
	at := w.poison(keyring, 0, fromTheFuture(keyring))

	n = w.start()
	w.eventually("all projections to stop", func() bool { return len(w.stopped(n, at)) == len(view.Parts()) })
	if ready, _ := w.health(n); ready {
		t.Error("it is ready, and what commands rest on has stopped")
	}
	if status, answer := w.client(n).send(http.MethodGet, "/v1/caller", ""); status != http.StatusServiceUnavailable {
		t.Errorf("a request: got %d %s, want 503", status, answer)
	}
	w.stop(n)
	r := &report{}
	if err := node.Doctor(t.Context(), w.config, r); err == nil || r.found["projections"] == nil || !strings.Contains(err.Error(), "key.gilded") {
		t.Errorf("doctor: got %v, want the record named", err)
	}

	w.must(node.Acknowledge(t.Context(), w.config, "keyrings", at, "looked at it"))
	n = w.start()
	w.eventually("one projection to have passed it", func() bool { return len(w.stopped(n, at)) == len(view.Parts())-1 })
	w.stop(n)
	w.must(node.Acknowledge(t.Context(), w.config, node.EveryProjection, at, "looked at it again"))
	w.goesOn(user, at)
	w.remove("data/projections") // what is built anew passes it again
	w.goesOn(user, at)
}

// goesOn wants a start to serve, the poisoned record to be passed, and its
// user to be served too.
func (w *world) goesOn(user string, at events.Position) {
	w.Helper()
	n := w.start()
	w.eventually("the server to be ready", func() bool { ready, _ := w.health(n); return ready && w.caughtUp(n) })
	w.eventually("the rebuild to end", func() bool {
		_, state := w.health(n)
		return !strings.Contains(fmt.Sprint(state["projections"]), "rebuilding:true")
	})
	if names := w.stopped(n, at); len(names) > 0 {
		w.Errorf("stopped although it was acknowledged: %v", names)
	}
	c := w.client(n)
	c.works()
	key := c.ask(http.MethodPost, "/v1/users/"+user+"/keys", "")["access_key_id"].(string)
	if got := c.status(key); got != "active" {
		w.Errorf("a key made after the record was passed: got %s, want active", got)
	}
	if _, answer := c.send(http.MethodGet, "/v1/audit?action=record.acknowledged", ""); !strings.Contains(string(answer), `"system:recovery"`) {
		w.Errorf("the audit does not show the acknowledgement: %s", answer)
	}
	w.stop(n)
}

// TestAcknowledgeNothing refuses to give leave in advance.
func TestAcknowledgeNothing(t *testing.T) {
	w := installed(t)
	in := w.installation()
	before := len(w.records())
	for rule, f := range map[string]func() error{
		"acknowledge.not_stopped": func() error {
			return node.Acknowledge(t.Context(), w.config, node.EveryProjection, 2, "in advance")
		},
	} {
		w.refusedBy(f(), rule)
	}
	if after := len(w.records()); after != before {
		t.Errorf("the log has grown from %d to %d", before, after)
	}
	account := events.AccountSubject(in.Operator)
	at := w.poison(account, 1, fromTheFuture(account))
	for _, test := range []struct {
		projection string
		position   events.Position
		reason     string
		rule       string
	}{
		{"keyrings", at - 1, "the one before", "acknowledge.not_stopped"},
		{"keyring", at, "no such projection", "projection.not_found"},
		{"keyrings", at, "", "acknowledge.reason"},
	} {
		w.refusedBy(node.Acknowledge(t.Context(), w.config, test.projection, test.position, test.reason), test.rule)
	}
	w.must(node.Acknowledge(t.Context(), w.config, node.EveryProjection, at, "on the account's own subject"))
	w.refusedBy(node.Acknowledge(t.Context(), w.config, node.EveryProjection, at, "twice"), "acknowledge.not_stopped")
	n := w.start()
	c := w.client(n)
	c.works()
	c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)
}

func (w *world) refusedBy(err error, rule string) {
	w.Helper()
	var r *aggregate.Refusal
	if !errors.As(err, &r) || r.Rule != rule {
		w.Errorf("got %v, want a refusal by %s", err, rule)
	}
}

// TestAcknowledgeOnline has a record that the audit alone cannot keep: commands
// go on, and the operator lets the audit go on through the API.
func TestAcknowledgeOnline(t *testing.T) {
	w := installed(t)
	in := w.installation()
	account := events.AccountSubject(in.Operator)
	data := strings.NewReplacer("key.gilded", "clock.confirmed", "KLAK0000000000000000", string(in.Operator), `"requestid":"r"`, `"requestid":"not one"`,
		`"data":{}`, fmt.Sprintf(`"data":{"account_id":%q,"clock":"2026-01-01T00:00:00Z"}`, in.Operator)).Replace(fromTheFuture(account))
	at := w.poison(account, 1, data)
	n := w.start()
	w.eventually("the audit to stop", func() bool { return len(w.stopped(n, at)) == 1 })
	if ready, state := w.health(n); !ready {
		t.Errorf("it is not ready, and the audit alone has stopped: %v", state)
	}
	c := w.client(n)
	c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)
	c.ask(http.MethodPost, "/v1/projections/audit/acknowledge", fmt.Sprintf(`{"position":%d,"reason":"written by hand"}`, at))
	w.eventually("the audit to go on", func() bool { return len(w.stopped(n, at)) == 0 && w.caughtUp(n) })
	c.ask(http.MethodPost, "/v1/projections/audit/rebuild", "")
	if names := w.stopped(n, at); len(names) > 0 {
		t.Errorf("a rebuild stopped at what was acknowledged: %v", names)
	}
	if _, err := os.Stat(w.path("data/projections")); err != nil {
		t.Error(err)
	}
}
