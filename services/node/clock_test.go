package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/timekeeper"
)

// binned puts a key into the recycle bin of the root user, which keeps it for
// so long.
func (c *client) binned(retention time.Duration) (key string) {
	c.Helper()
	policy := fmt.Sprintf(`{"overrides":{"recycle":{"retention_seconds":%d}}}`, retention/time.Second)
	c.ask(http.MethodPut, "/v1/accounts/"+c.as.AccountID+"/policy", policy)
	key = c.ask(http.MethodPost, "/v1/users/"+c.as.UserID+"/keys", "")["access_key_id"].(string)
	c.ask(http.MethodPatch, "/v1/keys/"+key, `{"status":"disabled"}`)
	c.ask(http.MethodDelete, "/v1/keys/"+key, "")
	return key
}

func (c *client) status(key string) string { c.Helper(); return c.text("/v1/keys/"+key, "status") }

// doubt is why the clock is not trusted; empty if it is.
func (w *world) doubt(n *node.Node) string {
	w.Helper()
	ready, state := w.health(n)
	if !ready {
		w.Errorf("it is not ready: %v", state)
	}
	return strings.TrimPrefix(state["clock"].(string), "trusted")
}

func TestPurgesWhatIsDue(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	key := c.binned(50 * time.Second)
	if got := c.status(key); got != "deleted" {
		t.Fatalf("before it is due: got %s, want deleted", got)
	}
	w.clock.turn(time.Minute)
	w.eventually("the purge", func() bool { return c.status(key) == "purged" })
	w.stop(n)
	records := w.records()
	purged := records[len(records)-1]
	e, _ := purged.Events[0].Event.(events.KeyPurged)
	if purged.Meta.Actor != events.ActorTimekeeper || e.Cause != events.CauseRetention || string(e.Key) != key {
		t.Errorf("the log ends with %+v by %s, want the purge", purged.Events, purged.Meta.Actor)
	}
}

// TestClockThatJumps stops purging until an operator confirms the clock. Neither a
// restart nor what is recorded meanwhile stands in for the operator.
func TestClockThatJumps(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	soon := c.binned(50 * time.Second)
	w.clock.turn(time.Minute)
	w.eventually("the first purge", func() bool { return c.status(soon) == "purged" })
	late := c.binned(24 * time.Hour)
	w.clock.turn(48 * time.Hour)
	w.eventually("the jump to be noticed", func() bool { return w.doubt(n) != "" })
	if doubt := w.doubt(n); !strings.Contains(doubt, "has run ahead of elapsed time by 48h") {
		t.Errorf("the doubt %q does not say by how much", doubt)
	}
	user := c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	w.stop(n)

	w.closeKeyring(user, time.Hour)
	n = w.start()
	c = w.client(n)
	w.eventually("a round of the timekeeper", func() bool { return w.doubt(n) != "" && c.gone(user) })
	if got := c.status(late); got != "deleted" {
		t.Fatalf("with a clock in doubt a key was %s, want it still deleted", got)
	}
	if clock := c.ask(http.MethodPost, "/v1/clock/confirm", "")["clock"]; clock != "trusted" {
		t.Errorf("after the confirmation: got %q, want trusted", clock)
	}
	w.eventually("the late purge", func() bool { return c.status(late) == "purged" })
	w.stop(n)

	n = w.start()
	w.ticked(n)
	if doubt := w.doubt(n); doubt != "" {
		t.Errorf("a confirmed clock is doubted after a restart: %s", doubt)
	}
	w.stop(n)
	if n := count(w.records(), "clock.confirmed"); n != 1 {
		t.Errorf("the confirmation stands %d times in the log, want once", n)
	}
}

// TestConfirmationHolds stops the server as soon as it has answered that the clock is confirmed: the next start trusts it, though it
// would not have without.
func TestConfirmationHolds(t *testing.T) {
	w := newWorld(t)
	w.stop(w.start())
	w.clock.turn(40 * 24 * time.Hour)
	often := w.config.Schedule
	w.config.Schedule = time.Hour // there is one round, at the start
	for _, confirmed := range []bool{false, true} {
		n := w.start()
		w.eventually("the clock to be doubted", func() bool { return w.doubt(n) != "" })
		if confirmed {
			w.client(n).ask(http.MethodPost, "/v1/clock/confirm", "")
		}
		w.stop(n)
	}
	w.config.Schedule = often
	n := w.start()
	w.ticked(n)
	if doubt := w.doubt(n); doubt != "" {
		t.Errorf("what was confirmed before the last stop is doubted: %s", doubt)
	}
	w.stop(n)
}

// ticked waits for a round of the timekeeper that trusts the clock.
func (w *world) ticked(n *node.Node) {
	w.Helper()
	c := w.client(n)
	key := c.binned(time.Second)
	w.clock.turn(2 * time.Second)
	w.eventually("what is due to be purged", func() bool { return c.status(key) == "purged" })
}

// TestClockThatIsSetBack finds itself before what it has recorded.
func TestClockThatIsSetBack(t *testing.T) {
	w := installed(t)
	w.clock.turn(-24 * time.Hour)
	n := w.start()
	w.eventually("the doubt", func() bool { return strings.Contains(w.doubt(n), "before the") })
	c := w.client(n)
	c.ask(http.MethodPost, "/v1/clock/confirm", "")
	w.ticked(n)
}

// TestLongAbsence comes back after more than seven days.
func TestLongAbsence(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	key := w.client(n).binned(24 * time.Hour)
	w.ticked(n)
	w.stop(n)
	w.clock.turn(8 * 24 * time.Hour)
	n = w.start()
	w.eventually("the doubt", func() bool { return strings.Contains(w.doubt(n), "more than 7 days after") })
	if got := w.client(n).status(key); got != "deleted" {
		t.Errorf("the key is %s, want it still deleted", got)
	}
}

// remembered is the cell of the clock guard of a stopped node.
func (w *world) remembered() (m timekeeper.Memory, at journal.Revision) {
	w.Helper()
	w.withLog(func(j *journal.Journal) {
		text, revision, err := j.Cells().Get(w.Context(), "clock")
		w.must(err)
		w.must(json.Unmarshal(text, &m))
		at = revision
	})
	return m, at
}

// TestRestartKeepsTheClock writes a trusted clock down every ten minutes and
// not at every start.
func TestRestartKeepsTheClock(t *testing.T) {
	w := newWorld(t)
	restart := func() {
		n := w.start()
		w.ticked(n)
		w.stop(n)
	}
	restart()
	first, at := w.remembered()
	if first.Doubt != "" || w.clock.now().Sub(first.Seen) > time.Minute {
		t.Errorf("remembered %+v, want a trusted clock of now", first)
	}
	restart()
	if again, then := w.remembered(); again != first || then != at {
		t.Errorf("a restart wrote %+v over %+v", again, first)
	}
	w.clock.turn(11 * time.Minute)
	restart()
	if later, _ := w.remembered(); later.Seen.Sub(first.Seen) < 11*time.Minute {
		t.Errorf("eleven minutes later the clock was last seen at %v, first at %v", later.Seen, first.Seen)
	}
}

// TestFinishesAHalfDoneRemoval finds a keyring that was closed by a server which
// died before it removed the user.
func TestFinishesAHalfDoneRemoval(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	user := w.client(n).ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	w.stop(n)
	w.closeKeyring(user, 0)
	n = w.start()
	c := w.client(n)
	if status, answer := c.send(http.MethodPost, "/v1/users/"+user+"/keys", ""); status != http.StatusConflict {
		t.Errorf("a key for a user who is being removed: got %d %s, want a conflict", status, answer)
	}
	if c.gone(user) {
		t.Error("the user is gone while the client may still be waiting for it")
	}
	w.clock.turn(31 * time.Second)
	w.eventually("the removal", func() bool { return c.gone(user) })
	c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)
	w.stop(n)
	for _, r := range w.records() {
		if r.Events[0].Event.Kind() == "user.removed" && r.Meta.Actor != events.ActorTimekeeper {
			t.Errorf("the user was removed by %s, want the timekeeper", r.Meta.Actor)
		}
	}
	if records := w.records(); count(records, "user.removed") != 1 || count(records, "keyring.closed") != 1 {
		t.Errorf("closed %d times and removed %d times, want once each", count(records, "keyring.closed"), count(records, "user.removed"))
	}
}

// gone says whether a user is not known any more.
func (c *client) gone(user string) bool {
	c.Helper()
	status, _ := c.send(http.MethodGet, "/v1/users/"+user, "")
	return status == http.StatusNotFound
}

// closeKeyring leaves in the log of a stopped node what a server leaves that dies
// between the two decisions of a removal, so long ago.
func (w *world) closeKeyring(user string, ago time.Duration) {
	w.Helper()
	in := w.installation()
	s := events.KeyringSubject(in.Operator, events.UserID(user))
	w.withLog(func(j *journal.Journal) {
		m := events.Meta{Actor: events.UserActor(in.Operator, in.Root), Request: "remove#close", Time: w.clock.now().Add(-ago).UTC()}
		w.append(j, s, 0, m, events.KeyringClosed{User: events.UserID(user)})
	})
}
