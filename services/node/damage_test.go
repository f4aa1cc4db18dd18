package node_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
)

// usedBlock is the newest block of USED.
const usedBlock = "data/log/jetstream/$G/streams/USED/msgs/1.blk"

// damageMessage changes a byte in the middle of message n of USED and says where its record begins.
func (w *world) damageMessage(n int) (offset int) {
	w.Helper()
	text, err := os.ReadFile(w.path(usedBlock))
	w.must(err)
	for ; n > 1; n-- {
		offset += int(binary.LittleEndian.Uint32(text[offset:]) &^ (1 << 31))
	}
	text[offset+60] ^= 1
	w.must(os.WriteFile(w.path(usedBlock), text, 0o600))
	return offset
}

// withUses is a world that was stopped after so many calls, each of which is a message of USED.
func withUses(t *testing.T, calls int) *world {
	t.Helper()
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	for i := range calls {
		c.ask(http.MethodGet, "/v1/caller", "")
		w.eventually("the record", func() bool { return len(useRecords(t, n.AccessLog())) > i })
	}
	w.stop(n)
	return w
}

// TestDamagedRecordTables damages what is kept of access records while a server runs. Whoever asks for them is told what to do, all else
// goes on, and once they are built anew they are all there.
func TestDamagedRecordTables(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	path := "/v1/keys/" + c.as.AccessKeyID + "/records?outcome=denied&limit=1000"
	list := func() string {
		_, answer := c.send(http.MethodGet, path, "")
		return string(answer)
	}
	const many = 1000 // more than are in one block, which may be in memory
	for range many {
		rec := access.Record{Time: w.config.Now(), Key: events.AccessKeyID(c.as.AccessKeyID), Account: events.AccountID(c.as.AccountID), Outcome: access.Denied, Reason: "thus"}
		if _, err := n.Uses().Submit(rec); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("the records to be in tables", func() bool {
		return n.Uses().Stats().Waiting == 0 && n.AwaitRecords(t.Context()) == nil && n.Records().Flush() == nil
	})
	w.damageTables()
	answer := list()
	if !strings.Contains(answer, "records.damaged") || !strings.Contains(answer, "keyledger projection rebuild records") || strings.Contains(answer, "stack") || strings.Contains(answer, `\n`) {
		t.Errorf("where the tables are damaged: got %s", answer)
	}
	ready, state := w.health(n)
	if !ready || !strings.Contains(fmt.Sprint(state["records"]), "keyledger projection rebuild records") || !strings.Contains(w.scrape(n.URL()), "keyledger_records_stopped 1\n") {
		t.Errorf("ready %v, %v", ready, state)
	}
	if status, answer := c.verifies(); status != http.StatusOK {
		t.Errorf("verification: got %d %s", status, answer)
	}
	for range 2 {
		c.ask(http.MethodPost, "/v1/projections/records/rebuild", "")
	}
	w.eventually("the records to be there again", func() bool { return strings.Count(list(), `"thus"`) == many })
	if ready, state := w.health(n); !ready || strings.Contains(fmt.Sprint(state["records"]), "rebuild") || !strings.Contains(w.scrape(n.URL()), "keyledger_records_stopped 0\n") {
		t.Errorf("built anew: ready %v, %v", ready, state)
	}
	w.stop(n)
	if err := node.Doctor(t.Context(), w.config, &report{}); err != nil {
		t.Errorf("doctor: %v", err)
	}
	w.damageTables()
	if err := node.Doctor(t.Context(), w.config, &report{}); err == nil || !strings.Contains(err.Error(), "remove "+w.path("data/records")) {
		t.Errorf("doctor where the tables are damaged: got %v", err)
	}
}

// damageTables changes the rows in all tables of access records.
func (w *world) damageTables() {
	w.Helper()
	files, err := filepath.Glob(w.path("data/records/*/*.sst"))
	if err != nil || len(files) == 0 {
		w.Fatalf("tables: %v, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			w.Fatal(err)
		}
		for i := range len(text) / 2 {
			text[i] ^= 0x55
		}
		if err := os.WriteFile(f, text, 0o600); err != nil {
			w.Fatal(err)
		}
	}
}

// verifies has the server verify a request of the client's own key.
func (c *client) verifies() (status int, answer []byte) {
	c.Helper()
	return c.send(http.MethodPost, "/v1/verify", `{"method":"GET","target":"/","host":"a.example"}`)
}

// TestDoctorComesToAnEnd looks at a log of which the last block of USED is gone, and with it what said how far that reached.
func TestDoctorComesToAnEnd(t *testing.T) {
	w := withUses(t, 6)
	w.remove("data/log/ends")
	w.remove(usedBlock)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := node.Doctor(ctx, w.config, &report{})
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "messages 1 to 6 are lost") {
		t.Errorf("doctor: got %v", err)
	}
}

// TestDamagedUses damages USED where nobody has read it yet. Commands and verification go on and are on record;
// who asks for records is told what is lost, and where, until an operator lets it pass.
func TestDamagedUses(t *testing.T) {
	w := withUses(t, 6)
	at := w.damageMessage(3)
	w.remove("data/records")
	if err := node.Doctor(t.Context(), w.config, &report{}); err == nil || !strings.Contains(err.Error(), "log/aside/USED-1-") || !strings.Contains(err.Error(), "acknowledge records --position 3 lets it pass") {
		t.Errorf("doctor: got %v", err)
	}
	n := w.start()
	c := w.client(n)
	lost := fmt.Sprintf("block 1.blk of stream USED is damaged at offset %d (the record does not have the checksum it was written with): message 3 is lost", at)
	key := c.as.AccessKeyID
	list := func() (int, string) {
		status, answer := c.send(http.MethodGet, "/v1/keys/"+key+"/records", "")
		return status, string(answer)
	}
	w.eventually("the damage to be met", func() bool { _, answer := list(); return strings.Contains(answer, "records.damaged") })
	for _, path := range []string{"/v1/keys/" + key + "/records", "/v1/records", "/v1/keys/" + key + "/last-used", "/v1/reports/unused?days=7"} {
		status, answer := c.send(http.MethodGet, path, "")
		var p struct{ Code, Detail string }
		if err := json.Unmarshal(answer, &p); err != nil || status != 503 || !strings.Contains(p.Detail, "lets it pass") || p.Code != "records.damaged" || !strings.Contains(p.Detail, "up to message 2 only: "+lost) {
			t.Errorf("%s: got %d %s", path, status, answer)
		}
	}
	ready, state := w.health(n)
	told := fmt.Sprint(state["records"])
	if !ready || state["whole"] != false || !strings.Contains(told, "stopped_at:3") || !strings.Contains(told, lost) {
		t.Errorf("ready %v, %v", ready, state)
	}
	metrics := w.scrape(n.URL())
	for _, want := range []string{"keyledger_records_damaged 1", "keyledger_records_stopped 1", "keyledger_log_whole 0", "keyledger_ready 1"} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("metrics do not say %s", want)
		}
	}
	user := c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)["user_id"].(string)
	c.ask(http.MethodPost, "/v1/users/"+user+"/keys", "")
	if status, answer := c.verifies(); status != http.StatusOK {
		t.Errorf("verification: got %d %s", status, answer)
	}

	pass := `{"position":%d,"reason":"the disk was replaced"}`
	if status, _ := c.send(http.MethodPost, "/v1/projections/records/acknowledge", fmt.Sprintf(pass, 4)); status != http.StatusConflict {
		t.Errorf("leave for a message that is not lost: got %d", status)
	}
	c.ask(http.MethodPost, "/v1/projections/records/acknowledge", fmt.Sprintf(pass, 3))
	w.eventually("records to go on", func() bool {
		status, answer := list()
		return status == http.StatusOK && strings.Contains(answer, "add-user")
	})
	if got := c.ask(http.MethodGet, "/v1/keys/"+key+"/last-used", "")["incomplete"]; got != true {
		t.Errorf("when the key was last used, where uses were lost: incomplete is %v", got)
	}
	for name, want := range map[string]string{"records": "let pass already", "recods": "want one of records, summary, "} {
		status, answer := c.send(http.MethodPost, "/v1/projections/"+name+"/acknowledge", fmt.Sprintf(pass, 3))
		if status/100 != 4 || !strings.Contains(string(answer), want) {
			t.Errorf("leave for %s once more: got %d %s", name, status, answer)
		}
	}
	if _, answer := list(); strings.Count(answer, `"show-caller"`) != 5 {
		t.Errorf("got %s, want the five calls that are not lost", answer)
	}
	if ready, state := w.health(n); !ready || state["whole"] != true || !strings.Contains(fmt.Sprint(state["records"]), "acknowledged:true") {
		t.Errorf("with leave: %v", state)
	}
	w.stop(n)
	if !slices.ContainsFunc(w.records(), func(r events.Record) bool {
		return slices.ContainsFunc(r.Events, func(e events.Recorded) bool {
			a, ok := e.Event.(events.RecordAcknowledged)
			return ok && a == events.RecordAcknowledged{Projection: "records", Position: 3, Through: 3, Reason: "the disk was replaced"}
		})
	}) {
		t.Error("the log does not say what was let pass")
	}
	if err := node.Doctor(t.Context(), w.config, &report{}); err != nil {
		t.Errorf("doctor, with leave: %v", err)
	}
	w.remove("data/records")
	n = w.start()
	c = w.client(n)
	w.eventually("records to be read anew", func() bool {
		status, answer := list()
		return status == http.StatusOK && strings.Count(answer, `"show-caller"`) == 5
	})
}

// TestDamagedUsesThatAreKnown damages USED where everything is applied: nothing that is asked for is missing, and it is
// said all the same.
func TestDamagedUsesThatAreKnown(t *testing.T) {
	w := withUses(t, 4)
	n := w.start()
	if err := n.AwaitRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.stop(n)
	w.damageMessage(2)
	n = w.start()
	c := w.client(n)
	if items := c.ask(http.MethodGet, "/v1/records", "")["items"].([]any); len(items) != 4 {
		t.Errorf("got %d records, want 4", len(items))
	}
	if ready, state := w.health(n); !ready || state["whole"] != false || !strings.Contains(fmt.Sprint(state["records"]), "from:2") {
		t.Errorf("got %v", state)
	}
}

// TestPoisonedUsesPass has an operator let pass a message of USED that is no batch of records.
func TestPoisonedUsesPass(t *testing.T) {
	w := withUses(t, 2)
	w.withLog(appendPoison(t))
	n := w.start()
	c := w.client(n)
	c.ask(http.MethodGet, "/v1/caller", "")
	list := func() (int, string) {
		status, answer := c.send(http.MethodGet, "/v1/records", "")
		return status, string(answer)
	}
	w.eventually("the message to be met", func() bool {
		status, answer := list()
		return status == 503 && strings.Contains(answer, `"records.damaged"`)
	})
	c.ask(http.MethodPost, "/v1/projections/records/acknowledge", `{"position":3,"reason":"a program of ours wrote it"}`)
	w.eventually("records to go on", func() bool {
		status, answer := list()
		return status == http.StatusOK && strings.Count(answer, `"show-caller"`) == 3
	})
}

func appendPoison(t *testing.T) func(j *journal.Journal) {
	return func(j *journal.Journal) {
		if _, err := j.AppendUses(t.Context(), "damage", []byte("not a batch")); err != nil {
			t.Fatal(err)
		}
	}
}

// manyUses appends messages of access records until USED has three blocks, and says where it ends.
func (w *world) manyUses() (last access.Position) {
	w.Helper()
	w.withLog(func(j *journal.Journal) {
		noise := rand.NewChaCha8([32]byte{})
		for i := range 50 {
			text := make([]byte, 200_000)
			noise.Read(text)
			r := access.Record{
				ID: [16]byte{byte(i), 1}, Time: w.clock.now(), Key: "KLAK0123456789ABCDEF", Account: "482915003716", User: "731902846150378264",
				Outcome: access.Allowed, UserAgent: fmt.Sprintf("%x", text),
			}
			var err error
			last, err = j.AppendUses(w.Context(), fmt.Sprint("many-", i), access.Append(nil, []access.Record{r}))
			w.must(err)
		}
	})
	return last
}

// again is a world as another one is now.
func (w *world) again(t *testing.T) *world {
	t.Helper()
	a := newWorld(t)
	a.must(os.CopyFS(a.dir, os.DirFS(w.dir)))
	a.must(filepath.WalkDir(a.dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chmod(path, 0o700))
	}))
	a.must(os.Chmod(a.path("data-unlock.key"), 0o600))
	return a
}

// TestMissingUses removes a block of USED that nobody has read yet: access records stop before it until it is let pass, also while the server
// is stopped, and everything else goes on.
func TestMissingUses(t *testing.T) {
	whole := withUses(t, 1)
	last := whole.manyUses()
	for _, offline := range []bool{false, true} {
		for block, from := range map[string]int{"1.blk": 1, "2.blk": 0, "3.blk": 0} {
			t.Run(fmt.Sprintf("%s, offline %v", block, offline), func(t *testing.T) {
				w := whole.again(t)
				w.remove(strings.Replace(usedBlock, "1.blk", block, 1))
				w.remove("data/records")
				said := "block " + block + " of stream USED is damaged at offset 0 ("
				if err := node.Doctor(t.Context(), w.config, &report{}); err == nil || !strings.Contains(err.Error(), said) {
					t.Errorf("doctor: got %v", err)
				}
				n := w.start()
				c := w.client(n)
				w.eventually("the damage to be met", func() bool {
					status, answer := c.send(http.MethodGet, "/v1/records", "")
					return status == 503 && strings.Contains(string(answer), `"records.damaged"`) && strings.Contains(string(answer), said)
				})
				_, state := w.health(n)
				told := fmt.Sprint(state["records"])
				if _, after, _ := strings.Cut(told, " from:"); from == 0 {
					_, err := fmt.Sscan(after, &from)
					w.must(err)
				}
				if state["whole"] != false || !strings.Contains(told, fmt.Sprintf("stopped_at:%d", from)) || !strings.Contains(told, fmt.Sprintf(" from:%d ", from)) {
					t.Errorf("got %v", state)
				}
				c.ask(http.MethodPost, "/v1/users", `{"name":"alice"}`)
				if status, answer := c.verifies(); status != http.StatusOK {
					t.Errorf("verification: got %d %s", status, answer)
				}
				if offline {
					w.stop(n)
					w.must(node.Acknowledge(t.Context(), w.config, "records", events.Position(from), "the disk was replaced"))
					n = w.start()
				} else {
					c.ask(http.MethodPost, "/v1/projections/records/acknowledge", fmt.Sprintf(`{"position":%d,"reason":"the disk was replaced"}`, from))
				}
				w.eventually("records to go on", func() bool { return n.Records().Position() > last })
				if _, state := w.health(n); state["whole"] != true {
					t.Errorf("with leave: %v", state)
				}
			})
		}
	}
}

// TestDamagedOldUses damages USED in an old block, which is compressed: a start that nobody has warned does not see it, but the
// one after a reader has come upon it sets it aside, and what is lost can be let pass, also while the server is stopped.
func TestDamagedOldUses(t *testing.T) {
	for _, offline := range []bool{false, true} {
		t.Run(fmt.Sprint("offline ", offline), func(t *testing.T) {
			w := withUses(t, 1)
			w.withLog(func(j *journal.Journal) {
				noise := rand.NewChaCha8([32]byte{})
				for i := range 45 {
					text := make([]byte, 400_000)
					noise.Read(text)
					if _, err := j.AppendUses(t.Context(), fmt.Sprint("noise-", i), text); err != nil {
						t.Fatal(err)
					}
				}
			})
			text, err := os.ReadFile(w.path(usedBlock))
			w.must(err)
			text[1000] ^= 1 // in the first frame
			w.must(os.WriteFile(w.path(usedBlock), text, 0o600))
			w.remove("data/records")
			n := w.start()
			w.eventually("the damage to be met", func() bool {
				_, state := w.health(n)
				return strings.Contains(fmt.Sprint(state["records"]), "stopped_at:1")
			})
			if status, answer := w.client(n).send(http.MethodPost, "/v1/projections/records/acknowledge", `{"position":1,"reason":"it stops there"}`); status != http.StatusConflict || !strings.Contains(string(answer), `"acknowledge.restart_first"`) {
				t.Errorf("leave before anybody knows what is lost: got %d %s", status, answer)
			}
			w.stop(n)
			n = w.start()
			_, state := w.health(n)
			if told := fmt.Sprint(state["records"]); state["whole"] != false || !strings.Contains(told, "block:1.blk") || !strings.Contains(told, "from:1") {
				t.Fatalf("at the next start: %v", state)
			}
			const reason = "the disk was replaced"
			if offline {
				w.stop(n)
				w.must(node.Acknowledge(t.Context(), w.config, "records", 1, reason))
				n = w.start()
			} else {
				w.client(n).ask(http.MethodPost, "/v1/projections/records/acknowledge", `{"position":1,"reason":"`+reason+`"}`)
			}
			w.eventually("the loss to be passed", func() bool {
				_, state := w.health(n)
				told := fmt.Sprint(state["records"])
				return strings.Contains(told, "acknowledged:true") && strings.Contains(told, "stopped_at:") && !strings.Contains(told, "stopped_at:1 ") && !strings.Contains(told, "stopped_at:1]")
			})
		})
	}
}
