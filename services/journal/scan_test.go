package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// smuggle writes a message as no append would: past the expectations, or not
// even readable.
func smuggle(t *testing.T, j *Journal, s events.Subject, data []byte, header nats.Header) {
	t.Helper()
	m, err := j.write.RequestMsgWithContext(t.Context(), &nats.Msg{Subject: s.String(), Data: data, Header: header})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAck(m); err != nil {
		t.Fatal(err)
	}
}

// meddled is a log of eight messages of which 3, 5 and 6 are wrong.
func meddled(t *testing.T, c Config) *Journal {
	t.Helper()
	j := opened(t, c)
	filled(t, j, 2)
	data, err := events.Encode(logtest.Decision(logtest.Keyring(0), 0))
	if err != nil {
		t.Fatal(err)
	}
	smuggle(t, j, logtest.Keyring(7), []byte("?"), nats.Header{headerExpected: {"0"}})
	if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(8), 0)); err != nil {
		t.Fatal(err)
	}
	smuggle(t, j, logtest.Keyring(0), data, nil)
	smuggle(t, j, logtest.Keyring(0), data, nats.Header{"Nats-Expected-Last-Subject-Sequence-Subject": {"ledger.none"}, headerExpected: {"0"}})
	for i, after := range []events.Position{0, 7} {
		if p, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(9), after)); err != nil || p != events.Position(7+i) {
			t.Fatal(p, err)
		}
	}
	return j
}

func wantFindings(t *testing.T, err error) {
	t.Helper()
	var poisoned *events.PoisonedError
	if !errors.As(err, &poisoned) || poisoned.Position != 3 {
		t.Errorf("got %v, want position 3 poisoned", err)
	}
	for _, want := range []string{
		"the message at position 5 does not say which one of its subject it follows",
		"the message at position 6 says that it follows position 0 of " + logtest.Keyring(0).String() + ", but the one before it is at",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	j := meddled(t, testConfig(t.TempDir()))
	var done, total events.Position
	err := j.Check(t.Context(), func(d, t events.Position) { done, total = d, t })
	wantFindings(t, err)
	if n := strings.Count(err.Error(), "\n") + 1; n != 3 {
		t.Errorf("findings: got %d, want 3:\n%v", n, err)
	}
	if done != 8 || total != 8 {
		t.Errorf("progress: got %d of %d, want 8 of 8", done, total)
	}
}

// TestCheckNamesTheFile damages an old block of LEDGER, which is compressed: the server says no more of it than that it cannot read a
// position.
func TestCheckNamesTheFile(t *testing.T) {
	in := installation{dir: t.TempDir()}
	j := opened(t, testConfig(in.dir))
	for i := range 45 {
		smuggle(t, j, logtest.Keyring(i), []byte(noise(i, 400_000)), nats.Header{headerExpected: {"0"}})
	}
	closed(t, j)
	flip(t, in.block(t, 1))
	j = opened(t, testConfig(in.dir))
	err := j.Check(t.Context(), nil)
	wantRefused(t, err, GuardWhole)
	if !strings.Contains(fmt.Sprint(err), "block 1.blk of stream LEDGER is damaged: at offset ") {
		t.Errorf("got %v, want the file", err)
	}
}

// The reservations of imported IDs are boundaries each: many first messages are well, a
// second one for the same ID is not.
func TestCheckReservations(t *testing.T) {
	j := opened(t, testConfig(t.TempDir()))
	reserve := func(id events.AccessKeyID) events.Decision {
		d := logtest.Decision(events.ReservationSubject(id), 0)
		d.Events[0].Event = events.KeyReserved{Key: id, Account: "100000000001", User: "100000000000000001"}
		return d
	}
	for i, id := range []events.AccessKeyID{"LTAI5tOne", "LTAI5tTwo", "ltai5ttwo", "100000000001"} {
		if p, err := j.Append(t.Context(), reserve(id)); err != nil || p != events.Position(i+1) {
			t.Fatal(p, err)
		}
	}
	if err := j.Check(t.Context(), func(_, _ events.Position) {}); err != nil {
		t.Errorf("four reservations: %v", err)
	}
	again := reserve("LTAI5tTwo")
	data, err := events.Encode(again)
	if err != nil {
		t.Fatal(err)
	}
	smuggle(t, j, again.Subject, data, nats.Header{"Nats-Expected-Last-Subject-Sequence-Subject": {"ledger.none"}, headerExpected: {"0"}})
	want := "the message at position 5 says that it follows position 0 of ledger.key.LTAI5tTwo, but the one before it is at 2"
	if err := j.Check(t.Context(), func(_, _ events.Position) {}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want it to say %q", err, want)
	}
}

func TestScan(t *testing.T) {
	told := make(chan Finding, 100)
	c := testConfig(t.TempDir())
	closed(t, meddled(t, c)) // a scan would turn its writes off half way
	c.Create = false
	c.Scan = Scan{Rate: 1000, Every: 20 * time.Millisecond, Found: func(f Finding) { told <- f }}
	j := opened(t, c)
	waitFor(t, "two rounds", func() bool { return j.Health().Scan.Rounds > 2 })
	h := j.Health()
	if h.Whole() || len(h.Scan.Found) < 3 || h.Scan.Finished.IsZero() {
		t.Errorf("health: got %+v, want three findings", h.Scan)
	}
	for range 3 {
		if f := <-told; f.Err == nil || f.Position == 0 {
			t.Errorf("told of %+v", f)
		}
	}
	// Nothing more is built on it but what takes a key away, until somebody has looked.
	ordinary, disable := logtest.Decision(logtest.Keyring(70), 0), logtest.Decision(logtest.Keyring(71), 0)
	disable.Reserve = true
	var off *events.UnavailableError
	if _, err := j.Append(t.Context(), ordinary); !errors.As(err, &off) || !strings.Contains(off.Reason, "damaged") {
		t.Errorf("append: got %v, want an UnavailableError", err)
	}
	if _, err := j.Append(t.Context(), disable); err != nil {
		t.Errorf("append with reserve: %v", err)
	}
	if h := j.Health(); h.Writable || !h.Reserve {
		t.Errorf("health: got %+v", h)
	}
	j.Excuse(func(string, events.Position) bool { return true })
	if _, err := j.Append(t.Context(), ordinary); err != nil || !j.Health().Whole() {
		t.Errorf("append when all was let pass: %v", err)
	}
	closed(t, j)
}

// TestFoundTwice has a reader, the scan and its next round come upon the same place.
func TestFoundTwice(t *testing.T) {
	told := 0
	c := testConfig(t.TempDir())
	c.Scan = Scan{Rate: -1, Found: func(Finding) { told++ }}
	j := opened(t, c)
	f := Finding{3, refused(GuardWhole, "position 3 is missing or damaged")}
	j.scan.hear(f)
	j.scan.found(f)
	if told != 1 {
		t.Errorf("told %d times in a round, want once", told)
	}
	j.scan.finish()
	j.scan.found(f)
	if h := j.Health().Scan; len(h.Found) != 1 || told != 2 {
		t.Errorf("found: got %v, told %d times; want the place once, told in each round", h.Found, told)
	}
	closed(t, j)
}

// TestFoundBefore restarts a log that was found damaged: nothing is built on it from the first moment, long before the
// scan comes to the place again, until the place is well or was let pass.
func TestFoundBefore(t *testing.T) {
	c := testConfig(t.TempDir())
	closed(t, meddled(t, c))
	c.Create = false
	c.Scan = Scan{Rate: 1000}
	j := opened(t, c)
	waitFor(t, "a round", func() bool { return j.Health().Scan.Rounds > 0 })
	found := j.Health().Scan.Found
	closed(t, j)

	c.Scan = Scan{Rate: 1, Every: time.Hour} // it does not come far
	j = opened(t, c)
	var off *events.UnavailableError
	if _, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(70), 0)); !errors.As(err, &off) || !strings.Contains(off.Reason, "damaged") {
		t.Errorf("append: got %v, want an UnavailableError", err)
	}
	waitFor(t, "a second look", func() bool {
		h := j.Health().Scan
		return len(h.Found) == len(found) && h.Found[0].Err.Error() == found[0].Err.Error()
	})
	closed(t, j)

	if err := os.WriteFile(filepath.Join(c.Dir, foundFile), []byte("1\n2\n"), 0o600); err != nil { // two that are well
		t.Fatal(err)
	}
	j = opened(t, c)
	waitFor(t, "a second look at what is well", func() bool { return j.Health().Writable })
	closed(t, j)
	if _, err := os.Stat(filepath.Join(c.Dir, foundFile)); !os.IsNotExist(err) {
		t.Errorf("it is still written down: %v", err)
	}
}

// TestScanResumes begins where an earlier one stopped, and still holds the rest
// to what lies before.
func TestScanResumes(t *testing.T) {
	j := meddled(t, testConfig(t.TempDir()))
	for from, want := range map[events.Position]int{0: 3, 2: 3, 3: 2, 4: 2, 5: 1, 6: 0, 7: 0, 8: 0} {
		n := 0
		for f, err := range newAudit(j, from).through(t.Context(), 8) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; f.Position <= from {
				t.Errorf("from %d: got a finding at %d", from, f.Position)
			}
		}
		if n != want {
			t.Errorf("from %d: got %d findings, want %d", from, n, want)
		}
	}
}

func TestScanRemembersWhereItStopped(t *testing.T) {
	c := testConfig(t.TempDir())
	j := opened(t, c)
	filled(t, j, 100)
	closed(t, j)
	c.Create = false
	c.Scan = Scan{Rate: 100} // one message at a time
	j = opened(t, c)
	waitFor(t, "a part of the log", func() bool { return j.Health().Scan.Position >= 20 })
	reached := j.Health().Scan.Position
	closed(t, j)
	if got := j.scan.resume(); got < reached || got >= 100 {
		t.Errorf("resume: got position %d, want one from %d and before 100", got, reached)
	}
	c.Scan = Scan{Rate: 10000}
	j = opened(t, c)
	waitFor(t, "the end of the log", func() bool { return j.Health().Scan.Rounds == 1 })
	if !j.Health().Whole() {
		t.Errorf("health: got %+v, want no finding", j.Health().Scan)
	}
	if got := j.scan.resume(); got != 0 {
		t.Errorf("resume after a whole round: got %d, want 0", got)
	}
}

// TestScanNewerLog has an older build on a log that a newer one has written: it says
// so, and calls nothing damaged.
func TestScanNewerLog(t *testing.T) {
	c := testConfig(t.TempDir())
	c.Scan = Scan{Rate: 1000, Every: 20 * time.Millisecond}
	j := opened(t, c)
	data, err := events.Encode(logtest.Decision(logtest.Keyring(0), 0))
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Replace(data, []byte(`.v1"`), []byte(`.v9"`), 1)
	smuggle(t, j, logtest.Keyring(0), newer, nats.Header{headerExpected: {"0"}})
	waitFor(t, "a round", func() bool { return len(j.Health().Scan.Found) > 0 })
	f := j.Health().Scan.Found[0]
	for _, want := range []string{"the log is newer than this build: message at position 1 ", `.v9" only up to version 1: a newer keyledger probably wrote it`} {
		if !strings.Contains(f.String(), want) {
			t.Errorf("finding: got %q, want it to say %q", f, want)
		}
	}
	var off *events.UnavailableError
	_, err = j.Append(t.Context(), logtest.Decision(logtest.Keyring(1), 0))
	if !errors.As(err, &off) || !strings.Contains(off.Reason, "does not know") || strings.Contains(off.Reason, "damaged") {
		t.Errorf("append: got %v, want an UnavailableError that names no damage", err)
	}
	smuggle(t, j, logtest.Keyring(2), []byte("?"), nats.Header{headerExpected: {"0"}})
	waitFor(t, "another round", func() bool { return strings.Contains(j.scan.trouble(), "damaged") })
}
