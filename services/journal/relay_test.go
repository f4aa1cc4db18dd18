package journal

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events/logtest"
)

// TestOutletReads reads both streams by the client's own functions, message by message
// and in batches, and hears what is new.
func TestOutletReads(t *testing.T) {
	a := newAudience(t)
	filled(t, a.journal, 20)
	for i := range 5 {
		if _, err := a.journal.AppendUses(t.Context(), fmt.Sprint(i), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	nc, _ := a.connect()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ledger, err := js.Stream(t.Context(), "LEDGER")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ledger.GetMsg(t.Context(), 7)
	if err != nil || m.Sequence != 7 || !strings.HasPrefix(m.Subject, "ledger.") || m.Time.IsZero() {
		t.Fatalf("got %+v, %v", m, err)
	}
	last, err := ledger.GetLastMsgForSubject(t.Context(), m.Subject)
	if err != nil || last.Sequence != 7 {
		t.Errorf("the last of a subject: got %+v, %v", last, err)
	}
	if _, err := ledger.GetMsg(t.Context(), 21); !errors.Is(err, jetstream.ErrMsgNotFound) {
		t.Errorf("behind the end: got %v", err)
	}
	if got := batch(t, nc, "LEDGER", `{"seq":3,"batch":100}`); !slices.Equal(got, numbers(3, 20)) {
		t.Errorf("a batch: got %v", got)
	}
	if got := batch(t, nc, "USED", `{"seq":1,"batch":3}`); !slices.Equal(got, numbers(1, 3)) {
		t.Errorf("a batch of USED: got %v", got)
	}
	heard := hearsLedger(t, nc)
	for n := range 3 {
		if _, err := a.journal.Append(t.Context(), logtest.Decision(logtest.Keyring(100+n), 0)); err != nil {
			t.Fatal(err)
		}
		m, err := heard.NextMsg(5 * time.Second)
		if err != nil || m.Header.Get("Nats-Sequence") != strconv.Itoa(21+n) || m.Subject != logtest.Keyring(100+n).String() {
			t.Fatalf("new: got %+v, %v; want %d", m, err, 21+n)
		}
	}
}

// TestOutletHeaders holds docs/events-out.md to the headers with which a message comes, told and asked for.
func TestOutletHeaders(t *testing.T) {
	a := newAudience(t)
	nc, _ := a.connect()
	heard := hearsLedger(t, nc)
	if _, err := a.journal.Append(t.Context(), logtest.Decision(logtest.Keyring(1), 0)); err != nil {
		t.Fatal(err)
	}
	told, err := heard.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	got, err := nc.Request("$JS.API.DIRECT.GET.LEDGER", []byte(`{"seq":1}`), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(told.Header)), func(name string) bool { return name == headerContentType })
	more := slices.DeleteFunc(slices.Sorted(maps.Keys(got.Header)), func(name string) bool { return told.Header[name] != nil })
	page, err := os.ReadFile("../../docs/events-out.md")
	if err != nil {
		t.Fatal(err)
	}
	last := len(names) - 1
	for _, want := range []string{
		"as it comes has the headers `" + strings.Join(names[:last], "`, `") + "` and `" + names[last] + "`;",
		"what was asked for has `" + strings.Join(more, "`, `") + "`,",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/events-out.md does not say %q", want)
		}
	}
}

// TestOutletSaysWhatIsWrong holds that a request that cannot be answered is told why.
func TestOutletSaysWhatIsWrong(t *testing.T) {
	nc, _ := newAudience(t).connect()
	for request, want := range map[string]string{
		``:                           `the request is not JSON`,
		`{"seq":1`:                   `the request is not JSON`,
		`{"seq":1} x`:                `the request is not JSON`,
		`7`:                          `want a JSON object, such as {"seq":1}`,
		`[1]`:                        `want a JSON object, such as {"seq":1}`,
		`{}`:                         `want seq, start_time, next_by_subj or last_by_subj`,
		`{"seq":0}`:                  `want seq, start_time, next_by_subj or last_by_subj`,
		`{"seq":-1}`:                 `seq is no whole number; want one that is not below 0`,
		`{"seq":"1"}`:                `seq is no whole number; want one that is not below 0`,
		`{"seq":1.5}`:                `seq is no whole number; want one that is not below 0`,
		`{"seq":1,"batch":"9"}`:      `batch is no whole number; want one that is not below 0`,
		`{"seq":1,"max_bytes":-1}`:   `batch and max_bytes are not below 0`,
		`{"start_time":"xx"}`:        `start_time is no time; want RFC 3339, such as "2026-11-22T00:00:00Z"`,
		`{"start_time":5}`:           `start_time is no time; want RFC 3339, such as "2026-11-22T00:00:00Z"`,
		`{"seq":1,"next_by_subj":5}`: `next_by_subj is no string`,
	} {
		m, err := nc.Request("$JS.API.DIRECT.GET.LEDGER", []byte(request), 5*time.Second)
		if err != nil {
			t.Fatalf("%s: %v", request, err)
		}
		if got := m.Header.Get("Description"); m.Header.Get("Status") != "400" || got != want {
			t.Errorf("%s: got %s %q, want 400 %q", request, m.Header.Get("Status"), got, want)
		}
	}
}

func numbers(first, last uint64) (out []uint64) {
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

// batch asks for messages and is the sequences of what came.
func batch(t *testing.T, nc *nats.Conn, stream, request string) (out []uint64) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.PublishRequest("$JS.API.DIRECT.GET."+stream, inbox, []byte(request)); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(out), err)
		}
		if m.Header.Get("Status") != "" {
			return out
		}
		n, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
}

// TestOutletAnswersInInboxesOnly has a reader ask for answers to be sent where they
// would be taken for somebody's words, or for a question.
func TestOutletAnswersInInboxesOnly(t *testing.T) {
	a := newAudience(t)
	victim, _ := a.connect()
	heard := hearsLedger(t, victim)
	filled(t, a.journal, 3)
	for range 3 {
		if _, err := heard.NextMsg(5 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	before := a.states()
	nc, _ := a.connect()
	for _, reply := range []string{"ledger.100000000001", "used.0", "$JS.API.DIRECT.GET.LEDGER", "$JS.API.STREAM.DELETE.LEDGER", "$KV.CELLS.clock", "_INBOX", "_INBOX.x"} {
		for _, request := range []string{`{"seq":1}`, `{"seq":1,"batch":10}`, `nonsense`, `{}`} {
			if err := nc.PublishRequest("$JS.API.DIRECT.GET.LEDGER", reply, []byte(request)); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.PublishRequest("$JS.API.STREAM.INFO.LEDGER", reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := batch(t, nc, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	if err := victim.Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := heard.Pending(); n != 0 {
		t.Errorf("%d answers were sent to somebody else", n)
	}
	if after := a.states(); !slices.Equal(before, after) {
		t.Errorf("the log was changed: %v, then %v", before, after)
	}
}

// TestOutletInboxes: each of two readers hears its own answers, and none of the other's,
// whatever it may think of to listen on.
func TestOutletInboxes(t *testing.T) {
	a := newAudience(t)
	filled(t, a.journal, 3)
	spy, seed, err := NewOutletUser("reader.x") // a dot in a name makes nobody the part of another
	if err != nil {
		t.Fatal(err)
	}
	if err := a.outlet.SetUsers([]OutletUser{a.user, spy}); err != nil {
		t.Fatal(err)
	}
	victim, _ := a.connect()
	nc, _ := a.connect(by(spy, seed), nats.CustomInboxPrefix(spy.InboxPrefix()))
	heard := make(chan *nats.Msg, 10)
	for _, subject := range []string{"_INBOX.>", "_INBOX_.>", "*.>", ">", a.user.InboxPrefix() + ".>", a.user.InboxPrefix() + ".*"} {
		if _, err := nc.ChanSubscribe(subject, heard); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*nats.Conn{victim, nc} {
		if got := batch(t, c, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 3 {
			t.Errorf("got %v", got)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 0 {
		t.Errorf("another's answers were heard: %s", (<-heard).Subject)
	}
}
