package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
)

// TestManagementCallsOnRecord makes calls that go well, that are refused and
// that are forged: each that names a key of ours is on record, once; one that names
// none is not.
func TestManagementCallsOnRecord(t *testing.T) {
	w := installed(t)
	n := w.start()
	c := w.client(n)
	c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)
	c.ask(http.MethodGet, "/v1/caller", "")
	c.send(http.MethodGet, "/v1/nowhere", "")
	forged := *c
	forged.as.SecretAccessKey = "kls_of_somebody_else"
	if status, _ := forged.send(http.MethodGet, "/v1/caller", ""); status != http.StatusUnauthorized {
		t.Errorf("forged: got %d", status)
	}
	stranger := forged
	stranger.as.AccessKeyID = "KLAK0000000000000000"
	stranger.send(http.MethodGet, "/v1/caller", "")
	c.send(http.MethodPost, "/?Action=ListAccessKeys&Version=2010-05-08", "") // signed for another service than iam

	want := []string{
		"add-user allowed  keyledger", "show-caller allowed  keyledger", "GET /v1/nowhere allowed  keyledger",
		"show-caller attempt signature_mismatch keyledger", "ListAccessKeys allowed  keyledger",
	}
	w.eventually("the records", func() bool { return len(useRecords(t, n.AccessLog())) >= len(want) })
	var got []string
	for _, r := range useRecords(t, n.AccessLog()) {
		got = append(got, fmt.Sprint(r.Action, " ", r.Outcome, " ", r.Reason, " ", r.Service))
		if string(r.Key) != c.as.AccessKeyID || string(r.Account) != c.as.AccountID || string(r.User) != c.as.UserID ||
			r.SourceIP.String() != "127.0.0.1" || r.UserAgent == "" || r.RequestID == "" || r.Position == 0 || r.Scheme != "AWS4-HMAC-SHA256" {
			t.Errorf("a record lacks something: %+v", r)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func useRecords(t *testing.T, log access.Log) (out []access.Record) {
	t.Helper()
	last, err := log.LastUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if last == 0 {
		return nil
	}
	for m, err := range log.FollowUses(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if out, err = access.Parse(out, m.Data); err != nil {
			t.Fatal(err)
		}
		if m.Position == last {
			break
		}
	}
	return out
}

// TestUsesOutliveTheirRecords has a key that was used once and then not for a hundred
// days: its records are gone, when it was last used is known, also after everything that is known was read from
// the log anew. It is reported as unused, and the key that asks is not.
func TestUsesOutliveTheirRecords(t *testing.T) {
	w := installed(t)
	n := w.start()
	c := w.client(n)
	key := c.ask(http.MethodPost, "/v1/users/"+c.as.UserID+"/keys", "")
	once := *c
	once.as.AccessKeyID, once.as.SecretAccessKey = key["access_key_id"].(string), key["secret_access_key"].(string)
	once.ask(http.MethodGet, "/v1/caller", "")
	lastUsed := func() string {
		return fmt.Sprint(c.ask(http.MethodGet, "/v1/keys/"+once.as.AccessKeyID+"/last-used", "")["last_used_at"])
	}
	w.eventually("the record to be known", func() bool { return lastUsed() != "<nil>" })
	want := lastUsed()

	w.clock.turn(100 * 24 * time.Hour)
	w.eventually("the jump to be noticed", func() bool { return w.doubt(n) != "" })
	if first, err := n.AccessLog().FirstUse(t.Context()); first != 1 || err != nil {
		t.Errorf("under a clock in doubt the log begins at %d, %v", first, err)
	}
	c.ask(http.MethodPost, "/v1/clock/confirm", "")
	w.eventually("the records to be trimmed", func() bool {
		first, err := n.AccessLog().FirstUse(t.Context())
		return err == nil && first > 1
	})
	w.stop(n)
	if err := os.RemoveAll(filepath.Join(w.config.Data, "records")); err != nil {
		t.Fatal(err)
	}
	n = w.start()
	c = w.client(n)
	w.eventually("the record to be known again", func() bool { return lastUsed() == want })
	if items := c.ask(http.MethodGet, "/v1/keys/"+once.as.AccessKeyID+"/records", "")["items"].([]any); len(items) != 0 {
		t.Errorf("records of a hundred days ago: %v", items)
	}
	unused := func(days int) string {
		out := ""
		for _, item := range c.ask(http.MethodGet, fmt.Sprint("/v1/reports/unused?days=", days), "")["items"].([]any) {
			k := item.(map[string]any)
			out += fmt.Sprint(k["access_key_id"], " ", k["status"], " ", k["last_used_at"], "\n")
		}
		return out
	}
	w.eventually("that key alone to be unused for 90 days", func() bool { return unused(90) == once.as.AccessKeyID+" active "+want+"\n" })
	if got := unused(101); got != "" {
		t.Errorf("unused for 101 days: %s", got)
	}
}

// TestRecordsGoOnAfterAFault: what could not be done once may be done another time, but not what is lost, nor by a store that has failed.
func TestRecordsGoOnAfterAFault(t *testing.T) {
	node.FollowAgainSoon(t)
	w := newWorld(t)
	n := w.start()
	for err, want := range map[error]bool{
		fmt.Errorf("apply: %w", syscall.EMFILE): true, errors.New("the log does not answer"): true,
		fmt.Errorf("message 7: %w", events.ErrLost): false, fmt.Errorf("apply: %w", &projections.StoreError{Detail: "no space"}): false,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if got := n.GoOn(ctx, err); got != want {
			t.Errorf("after %v: got %v, want %v", err, got, want)
		}
		cancel()
	}
	w.stop(n)
}

// TestRecordsBeforeTheyHaveCaughtUp asks while what was in the log before the start is still being read: nobody is told
// that a key was never used.
func TestRecordsBeforeTheyHaveCaughtUp(t *testing.T) {
	w := installed(t)
	n := w.start()
	c := w.client(n)
	key := c.usedKey()
	if err := n.AwaitRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.BeganAt(1000)
	for _, path := range []string{"/v1/keys/" + key + "/records", "/v1/records", "/v1/keys/" + key + "/last-used", "/v1/reports/unused?days=7"} {
		if status, answer := c.send(http.MethodGet, path, ""); status != http.StatusServiceUnavailable || !strings.Contains(string(answer), "still being read from the log, up to message") {
			t.Errorf("%s: got %d %s", path, status, answer)
		}
	}
	n.BeganAt(1)
	if got := c.ask(http.MethodGet, "/v1/keys/"+key+"/last-used", ""); got["last_used_at"] == nil || got["incomplete"] != nil {
		t.Errorf("when the key was last used: got %v", got)
	}
}

// usedKey is a key of the root user that has been used once, disabled since.
func (c *client) usedKey() string {
	c.Helper()
	key := c.ask(http.MethodPost, "/v1/users/"+c.as.UserID+"/keys", "")
	once := *c
	once.as.AccessKeyID, once.as.SecretAccessKey = key["access_key_id"].(string), key["secret_access_key"].(string)
	once.ask(http.MethodGet, "/v1/caller", "")
	c.ask(http.MethodPatch, "/v1/keys/"+once.as.AccessKeyID, `{"status":"disabled"}`)
	return once.as.AccessKeyID
}

func (c *client) minIdle(mode string) {
	c.Helper()
	c.ask(http.MethodPut, "/v1/accounts/"+c.as.AccountID+"/policy", `{"overrides":{"delete":{"min_idle_mode":"`+mode+`"}}}`)
}

// TestDeleteAKeyThatIsInUse deletes a key that was used a moment ago: the policy blocks, or it
// warns and the event says when. Where it cannot be known when the key was used, only a policy that blocks stands in
// the way, and nobody is told that there are no records.
func TestDeleteAKeyThatIsInUse(t *testing.T) {
	w := installed(t)
	n := w.start()
	c := w.client(n)
	key := c.usedKey()
	w.eventually("the record to be in the log", func() bool {
		return slices.ContainsFunc(useRecords(t, n.AccessLog()), func(r access.Record) bool { return string(r.Key) == key })
	})
	c.minIdle("block")
	if status, answer := c.send(http.MethodDelete, "/v1/keys/"+key, ""); status != http.StatusConflict || !strings.Contains(string(answer), `"delete.min_idle"`) {
		t.Errorf("a policy that blocks: got %d %s", status, answer)
	}
	c.minIdle("warn")
	if got := fmt.Sprint(c.ask(http.MethodDelete, "/v1/keys/"+key, "")["warnings"]); got != "[delete.min_idle]" {
		t.Errorf("a policy that warns: got %s", got)
	}
	used := c.ask(http.MethodGet, "/v1/keys/"+key+"/last-used", "")["last_used_at"].(string)
	second := c.usedKey()
	w.stop(n)
	records := w.records()
	var deleted []events.KeyDeleted
	for _, r := range records {
		if e, ok := r.Events[0].Event.(events.KeyDeleted); ok {
			deleted = append(deleted, e)
		}
	}
	if at, err := time.Parse(time.RFC3339, used); err != nil || len(deleted) != 1 || !deleted[0].LastUsed.Equal(at) {
		t.Errorf("the log has %+v, want a deletion of a key last used at %s", deleted, used)
	}

	w.withLog(func(j *journal.Journal) {
		if _, err := j.AppendUses(t.Context(), "damage", []byte("not a batch")); err != nil {
			t.Fatal(err)
		}
	})
	n = w.start()
	c = w.client(n)
	list := func() (int, []byte) { return c.send(http.MethodGet, "/v1/keys/"+key+"/records", "") }
	w.eventually("the damage to be met", func() bool { status, _ := list(); return status == http.StatusServiceUnavailable })
	for _, path := range []string{"/v1/records", "/v1/keys/" + key + "/last-used", "/v1/keys/" + key + "/counts", "/v1/reports/unused?days=7"} {
		if status, answer := c.send(http.MethodGet, path, ""); status != http.StatusServiceUnavailable || !strings.Contains(string(answer), "known up to message") {
			t.Errorf("%s: got %d %s", path, status, answer)
		}
	}
	c.minIdle("block")
	if status, answer := c.send(http.MethodDelete, "/v1/keys/"+second, ""); status != http.StatusServiceUnavailable || !strings.Contains(string(answer), "not known when") {
		t.Errorf("a policy that blocks, and nothing known: got %d %s", status, answer)
	}
	c.minIdle("warn")
	c.ask(http.MethodDelete, "/v1/keys/"+second, "")
}
