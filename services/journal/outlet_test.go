package journal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/events/logtest"
)

// An audience is a log, an outlet of it and one who may read there.
type audience struct {
	*testing.T
	journal *Journal
	outlet  *Outlet
	seed    string
	user    OutletUser
}

func newAudience(t *testing.T) *audience {
	t.Helper()
	j := opened(t, testConfig(t.TempDir()))
	u, seed, err := NewOutletUser("reader")
	if err != nil {
		t.Fatal(err)
	}
	o, err := j.OpenOutlet(OutletConfig{Listen: "127.0.0.1:0", Users: []OutletUser{u}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return &audience{t, j, o, seed, u}
}

// by proves who it is by a seed.
func by(u OutletUser, seed string) nats.Option {
	return nats.Nkey(u.Key, func(nonce []byte) ([]byte, error) {
		pair, err := nkeys.FromSeed([]byte(seed))
		if err != nil {
			return nil, err
		}
		return pair.Sign(nonce)
	})
}

// connect is a connection as a program elsewhere makes it; what it may not do is in
// denied.
func (a *audience) connect(options ...nats.Option) (nc *nats.Conn, denied *atomic.Int64) {
	a.Helper()
	denied = new(atomic.Int64)
	nc, err := nats.Connect("nats://"+a.outlet.Addr(), append([]nats.Option{by(a.user, a.seed), nats.CustomInboxPrefix(a.user.InboxPrefix()), nats.MaxReconnects(0),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				denied.Add(1)
			}
		})}, options...)...)
	if err != nil {
		a.Fatal(err)
	}
	a.Cleanup(nc.Close)
	return nc, denied
}

// hearsLedger subscribes a reader to LEDGER: it misses nothing that comes once this returns.
func hearsLedger(t *testing.T, nc *nats.Conn) *nats.Subscription {
	t.Helper()
	heard, err := nc.SubscribeSync("ledger.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return heard
}

// TestOutletKeepsSecrets looks at every byte that leaves.
func TestOutletKeepsSecrets(t *testing.T) {
	a := newAudience(t)
	d := logtest.Decision(logtest.Keyring(1), 0)
	sealed := events.Sealed{Layout: 1, Version: 1, Epoch: 1, Ciphertext: []byte("the ciphertext"), WrappedKey: []byte("the wrapped key")}
	d.Events[0].Event = events.KeyCreated{Key: "KLAK0000000000000001", Cause: "requested", Sealed: sealed}
	d.Events = append(d.Events, events.Recorded{ID: "01900000-0000-7000-8000-0000000000ff", Event: events.GatewayTokenCreated{Token: "KLGT0000000000000000", Name: "x", Account: "100000000001", Hash: "5eed5eed"}})
	nc, _ := a.connect()
	heard := hearsLedger(t, nc)
	if _, err := a.journal.Append(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	got, err := nc.Request("$JS.API.DIRECT.GET.LEDGER", []byte(`{"seq":1}`), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	live, err := heard.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*nats.Msg{got, live} {
		text := fmt.Sprint(m.Header) + string(m.Data)
		for _, secret := range []string{base64.StdEncoding.EncodeToString(sealed.Ciphertext), base64.StdEncoding.EncodeToString(sealed.WrappedKey), "sealed", "wrapped", "5eed5eed", "Expected"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q left: %s", secret, text)
			}
		}
		var batch []map[string]any
		if err := json.Unmarshal(m.Data, &batch); err != nil || len(batch) != 2 || batch[0]["type"] != "dev.keyledger.key.created.v1" {
			t.Errorf("got %s, %v", m.Data, err)
		}
	}
}

// TestOutletIsShut tries everything that a reader may not do; nothing of it leaves a
// trace in the log.
func TestOutletIsShut(t *testing.T) {
	a := newAudience(t)
	filled(t, a.journal, 3)
	if _, err := a.journal.AppendUses(t.Context(), "1", []byte("1")); err != nil {
		t.Fatal(err)
	}
	before := a.states()
	stranger, _, err := NewOutletUser("stranger")
	if err != nil {
		t.Fatal(err)
	}
	nc, denied := a.connect()
	forbidden := []string{
		"ledger.100000000001", "ledger.100000000001.200000000000000001", "used.0", "summary.x", "$KV.CELLS.clock", "_INBOX.somebody", a.user.InboxPrefix() + ".x", "anything",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.STREAM.INFO.KV_CELLS", "$JS.API.STREAM.INFO.SUMMARY",
		"$JS.API.DIRECT.GET.KV_CELLS", "$JS.API.DIRECT.GET.KV_CELLS.$KV.CELLS.clock", "$JS.API.DIRECT.GET.SUMMARY", "$JS.API.STREAM.MSG.GET.LEDGER",
		"$JS.API.STREAM.MSG.GET.KV_CELLS",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.PING.INFO", "$SYS.REQ.USER.INFO", "$JS.ACK.LEDGER.x.1.1.1.1.1",
	}
	for _, stream := range []string{"LEDGER", "USED", "SUMMARY", "KV_CELLS", "NEW"} {
		for _, action := range []string{"CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "RESTORE", "SNAPSHOT", "LEADER.STEPDOWN"} {
			forbidden = append(forbidden, "$JS.API.STREAM."+action+"."+stream)
		}
		for _, action := range []string{"CREATE", "DURABLE.CREATE", "DELETE", "MSG.NEXT", "INFO", "PAUSE"} {
			forbidden = append(forbidden, "$JS.API.CONSUMER."+action+"."+stream+".c")
		}
		forbidden = append(forbidden, "$JS.API.CONSUMER.NAMES."+stream, "$JS.API.CONSUMER.LIST."+stream, "$JS.API.CONSUMER.CREATE."+stream)
	}
	for _, subject := range forbidden {
		if err := nc.PublishRequest(subject, nc.NewInbox(), []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	subscriptions := []string{">", "*", "$JS.>", "$JS.API.>", "$KV.>", "$KV.CELLS.>", "summary.>", "$SYS.>", "_R_.>", "*.100000000001", "_INBOX.>", "_INBOX_.>", "*.>", a.user.InboxPrefix(), stranger.InboxPrefix() + ".>", stranger.InboxPrefix() + ".x"}
	for _, subject := range subscriptions {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	want := int64(len(forbidden) + len(subscriptions))
	for until := time.Now().Add(5 * time.Second); denied.Load() < want && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	if denied.Load() != want {
		t.Errorf("%d of %d were denied", denied.Load(), want)
	}
	if after := a.states(); !slices.Equal(before, after) {
		t.Errorf("the log was changed: %v, then %v", before, after)
	}
}

// states is what can be changed of the log's streams.
func (a *audience) states() (out []string) {
	a.Helper()
	for _, c := range streams() {
		s, err := a.journal.state(a.Context(), c.Name)
		if err != nil {
			a.Fatal(err)
		}
		out = append(out, fmt.Sprint(c.Name, s.State, s.Created, len(s.Config)))
	}
	return out
}

// TestOutletLetsNobodyElseIn: without a key, with another's, with the log's own name,
// and with one that was taken back.
func TestOutletLetsNobodyElseIn(t *testing.T) {
	a := newAudience(t)
	stranger, seed, err := NewOutletUser("stranger")
	if err != nil {
		t.Fatal(err)
	}
	url := "nats://" + a.outlet.Addr()
	for name, option := range map[string]nats.Option{
		"nobody": nats.Name("x"), "a stranger": by(stranger, seed), "another's name": by(a.user, seed), "the outlet's own": nats.UserInfo("keyledger", ""),
	} {
		if nc, err := nats.Connect(url, option, nats.MaxReconnects(0)); err == nil {
			nc.Close()
			t.Errorf("%s was let in", name)
		}
	}
	cut := make(chan struct{})
	a.connect(nats.ClosedHandler(func(*nats.Conn) { close(cut) }))
	if err := a.outlet.SetUsers([]OutletUser{stranger}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-cut:
	case <-time.After(5 * time.Second):
		t.Error("whose key was taken back is still connected")
	}
	if nc, err := nats.Connect(url, by(a.user, a.seed), nats.MaxReconnects(0)); err == nil {
		nc.Close()
		t.Error("whose key was taken back was let in")
	}
	nc, err := nats.Connect(url, by(stranger, seed))
	if err != nil {
		t.Fatalf("whose key was added was not let in: %v", err)
	}
	nc.Close()
	if err := a.outlet.SetUsers(nil); err != nil {
		t.Fatal(err)
	}
	for name, option := range map[string]nats.Option{"nobody": nats.Name("x"), "one of before": by(stranger, seed), "a user": nats.UserInfo("keyledger", "")} {
		if nc, err := nats.Connect(url, option, nats.MaxReconnects(0)); err == nil {
			nc.Close()
			t.Errorf("nobody may read, and %s was let in", name)
		}
	}
}

// TestOutletStrangers: connections that prove nothing take no reader's place, and are cut
// soon; a program has no more than it may, also after who may read has changed.
func TestOutletStrangers(t *testing.T) {
	a := newAudience(t)
	a.strangers(128)
	early, _ := a.connect()
	other, _, err := NewOutletUser("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.outlet.SetUsers([]OutletUser{a.user, other}); err != nil {
		t.Fatal(err)
	}
	stranger := a.strangers(128) // the change has cut the others
	for range outletPerProgram - 1 {
		a.connect()
	}
	if nc, err := nats.Connect("nats://"+a.outlet.Addr(), by(a.user, a.seed), nats.MaxReconnects(0)); err == nil {
		nc.Close()
		t.Errorf("more than %d connections of a program were let in", outletPerProgram)
	}
	if got := batch(t, early, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	early.Close()
	for until := time.Now().Add(5 * time.Second); ; { // the server hears of it a little later
		nc, err := nats.Connect("nats://"+a.outlet.Addr(), by(a.user, a.seed), nats.MaxReconnects(0))
		if err == nil {
			nc.Close()
			break
		}
		if time.Now().After(until) {
			t.Fatalf("a reader's place was not given to the next: %v", err)
		}
	}
	_ = stranger.SetReadDeadline(time.Now().Add(4 * time.Second))
	if said, err := io.ReadAll(stranger); err != nil || !strings.Contains(string(said), "Authentication Timeout") {
		t.Errorf("a stranger was not cut: %q, %v", said, err)
	}
}

// TestOutletPerAddress has one address hold as many connections as it can, without an end:
// a reader from elsewhere is let in all the same, and one from there when they are gone.
func TestOutletPerAddress(t *testing.T) {
	a := newAudience(t)
	var crowd []net.Conn
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	refused := 0
	for range outletPerAddress + 50 {
		c, err := from.Dial("tcp", a.outlet.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		crowd = append(crowd, c)
	}
	for _, c := range crowd {
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, _ := c.Read(make([]byte, 5)); n == 0 { // it is not told INFO
			refused++
		}
	}
	if refused != 50 {
		t.Errorf("%d of the connections of one address were refused, want 50", refused)
	}
	a.connect()
	for _, c := range crowd {
		_ = c.Close()
	}
	for until := time.Now().Add(5 * time.Second); ; {
		nc, err := nats.Connect("nats://"+a.outlet.Addr(), by(a.user, a.seed), nats.MaxReconnects(0), nats.SetCustomDialer(&from))
		if err == nil {
			nc.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("the address has no connection any more, and is shut out: %v", err)
		}
	}
}

// strangers makes connections that say nothing, and is the last of them.
func (a *audience) strangers(n int) (c net.Conn) {
	a.Helper()
	for range n {
		var err error
		if c, err = net.Dial("tcp", a.outlet.Addr()); err != nil {
			a.Fatal(err)
		}
		stranger := c
		a.Cleanup(func() { _ = stranger.Close() })
	}
	return c
}

// TestOutletFlood has readers ask as fast as they can and read nothing, while the log
// is written to: every append goes through.
func TestOutletFlood(t *testing.T) {
	a := newAudience(t)
	filled(t, a.journal, 500)
	ctx, stop := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	defer flood.Wait()
	defer stop()
	for range 8 {
		nc, _ := a.connect(nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond))
		inbox := nc.NewInbox()
		if _, err := nc.SubscribeSync(inbox); err != nil {
			t.Fatal(err)
		}
		flood.Go(func() {
			for ctx.Err() == nil {
				_ = nc.PublishRequest("$JS.API.DIRECT.GET.LEDGER", inbox, []byte(`{"seq":1,"batch":1000}`))
				_ = nc.PublishRequest("$JS.API.STREAM.INFO.USED", inbox, bytes.Repeat([]byte("x"), 1000))
			}
		})
	}
	for i := range 100 {
		if _, err := a.journal.AppendUses(t.Context(), fmt.Sprint("flood-", i), access.Append(nil, nil)); err != nil {
			t.Fatalf("append %d of USED: %v", i, err)
		}
		if _, err := a.journal.Append(t.Context(), logtest.Decision(logtest.Keyring(1000+i), 0)); err != nil {
			t.Fatalf("append %d of LEDGER: %v", i, err)
		}
	}
}

func TestOutletUsersFile(t *testing.T) {
	one, seed, err := NewOutletUser("leak-detector")
	if err != nil || !strings.HasPrefix(seed, "SU") || !strings.HasPrefix(one.Key, "U") {
		t.Fatalf("got %+v, %v", one, err)
	}
	two, _, err := NewOutletUser("siem")
	if err != nil {
		t.Fatal(err)
	}
	text := FormatOutletUsers([]OutletUser{one, two})
	if got, err := ParseOutletUsers(text); err != nil || !slices.Equal(got, []OutletUser{one, two}) || strings.Contains(text, seed) {
		t.Errorf("got %v, %v from %s", got, err, text)
	}
	for _, bad := range []string{"siem", "siem x", "siem " + seed, "a b " + one.Key, "siem " + one.Key + "\nother " + one.Key, "siem " + one.Key + "\nsiem " + two.Key, "si/em " + one.Key} {
		if users, err := ParseOutletUsers(bad); err == nil || strings.Contains(err.Error(), seed) {
			t.Errorf("%q: got %v, %v", bad, users, err)
		}
	}
	if _, _, err := NewOutletUser("no good"); err == nil {
		t.Error("a name with a space was taken")
	}
}
