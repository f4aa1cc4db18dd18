package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// An intruder is a program that may read, too, and means harm to the others.
type intruder struct {
	*audience
	evil OutletUser
	own  []nats.Option
}

func newIntruder(t *testing.T) *intruder {
	t.Helper()
	a := newAudience(t)
	evil, seed, err := NewOutletUser("evil")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.outlet.SetUsers([]OutletUser{a.user, evil}); err != nil {
		t.Fatal(err)
	}
	return &intruder{a, evil, []nats.Option{by(evil, seed), nats.CustomInboxPrefix(evil.InboxPrefix())}}
}

// listens subscribes a victim to whatever it may.
func (i *intruder) listens(victim *nats.Conn) chan *nats.Msg {
	i.Helper()
	heard := make(chan *nats.Msg, 1000)
	for _, subject := range []string{i.user.InboxPrefix() + ".>", "ledger.>", "used.>"} {
		if _, err := victim.ChanSubscribe(subject, heard); err != nil {
			i.Fatal(err)
		}
	}
	if err := victim.Flush(); err != nil {
		i.Fatal(err)
	}
	return heard
}

// TestOutletAnswersTheAskerOnly has a program ask for answers, and for traces of its
// messages, to be sent where another listens: that one hears nothing.
func TestOutletAnswersTheAskerOnly(t *testing.T) {
	i := newIntruder(t)
	victim, _ := i.connect()
	heard := i.listens(victim)
	filled(t, i.journal, 3)
	for range 3 { // what is told of these is told by now
		select {
		case <-heard:
		case <-time.After(5 * time.Second):
			t.Fatal("what is new was not told")
		}
	}
	evil, _ := i.connect(i.own...)
	for _, reply := range []string{i.user.InboxPrefix() + ".x", "ledger.100000000001", "used.0"} {
		for _, request := range []string{`{"seq":1}`, `{"seq":1,"batch":10}`, `{"seq":99}`, `nonsense`} {
			m := nats.NewMsg("$JS.API.DIRECT.GET.LEDGER")
			m.Reply, m.Data = reply, []byte(request)
			traced := &nats.Msg{Subject: m.Subject, Reply: reply, Data: m.Data, Header: nats.Header{"Nats-Trace-Dest": {reply}}}
			for _, m := range []*nats.Msg{m, traced} {
				if err := evil.PublishMsg(m); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, subject := range []string{"$JS.API.STREAM.INFO.USED", "$JS.API.DIRECT.GET.LEDGER.ledger.100000000001"} {
			if err := evil.PublishRequest(subject, reply, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 * relayWorkers { // behind all the others, whoever answers them
		if got := batch(t, evil, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 3 {
			t.Errorf("got %v", got)
		}
	}
	if err := victim.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(heard) != 0 {
		t.Errorf("%d messages were heard that nobody asked for, the first on %s", len(heard), (<-heard).Subject)
	}
}

// TestOutletAccounts: what the outlet itself says where one program is reaches no other, on
// whatever subject, and no program is let in as the outlet.
func TestOutletAccounts(t *testing.T) {
	i := newIntruder(t)
	victim, _ := i.connect()
	heard := i.listens(victim)
	for key, want := range map[string]int{i.evil.Key: 0, i.user.Key: 3} {
		nc := i.outlet.readers[key].nc
		for _, subject := range []string{i.user.InboxPrefix() + ".x", "ledger.100000000001", "used.0"} {
			if err := nc.Publish(subject, []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(nc.Flush(), victim.Flush()); err != nil {
			t.Fatal(err)
		}
		if len(heard) != want {
			t.Errorf("%d messages were heard, want %d", len(heard), want)
		}
		for len(heard) > 0 {
			<-heard
		}
	}
	own := i.outlet.readers[i.user.Key].own
	if nc, err := nats.Connect("nats://"+i.outlet.Addr(), nats.UserInfo(own.Username, own.Password), nats.MaxReconnects(0)); err == nil {
		nc.Close()
		t.Error("somebody was let in as the outlet")
	}
}

// TestOutletPerProgram has a program make connections until it is refused, and ask for more
// than is answered: another is let in all the same, and is answered.
func TestOutletPerProgram(t *testing.T) {
	i := newIntruder(t)
	filled(t, i.journal, 500)
	var refused error
	var crowd []*nats.Conn
	for refused == nil && len(crowd) < 2*outletPerProgram {
		nc, err := nats.Connect("nats://"+i.outlet.Addr(), append([]nats.Option{nats.MaxReconnects(0)}, i.own...)...)
		if refused = err; err == nil {
			defer nc.Close()
			crowd = append(crowd, nc)
		}
	}
	if refused == nil || !strings.Contains(refused.Error(), "maximum account active connections exceeded") {
		t.Fatalf("after %d connections: got %v", len(crowd), refused)
	}
	for _, nc := range crowd {
		for range 100 {
			if err := nc.PublishRequest("$JS.API.DIRECT.GET.LEDGER", i.evil.InboxPrefix()+".x", []byte(`{"seq":1,"batch":1000}`)); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	nc, _ := i.connect()
	for range 20 {
		if got := batch(t, nc, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 10 {
			t.Fatalf("got %v", got)
		}
	}
}

// TestOutletChangeFails has the server take no more connections while programs are added:
// whoever may read no more is cut off all the same, the others stay and are answered, and the
// next try lets in who was to come.
func TestOutletChangeFails(t *testing.T) {
	a := newAudience(t)
	filled(t, a.journal, 3)
	var others []OutletUser
	var seeds []string
	for range 4 {
		u, seed, err := NewOutletUser("other")
		if err != nil {
			t.Fatal(err)
		}
		others, seeds = append(others, u), append(seeds, seed)
	}
	if err := a.outlet.SetUsers([]OutletUser{a.user, others[0]}); err != nil {
		t.Fatal(err)
	}
	cut := make(chan struct{})
	a.connect(by(others[0], seeds[0]), nats.ClosedHandler(func(*nats.Conn) { close(cut) }))
	stays, _ := a.connect()
	next := append([]OutletUser{a.user}, others[1:]...)
	a.outlet.options.MaxConn = 4 // two of the outlet's own and the two above
	if err := a.outlet.SetUsers(next); err == nil {
		t.Fatal("three were added where there was room for two")
	}
	select {
	case <-cut:
	case <-time.After(5 * time.Second):
		t.Error("whose key was taken back is still connected")
	}
	if got := batch(t, stays, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	a.outlet.options.MaxConn = outletConnections
	if err := a.outlet.SetUsers(next); err != nil {
		t.Fatal(err)
	}
	if got := batch(t, stays, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	nc, _ := a.connect(by(others[1], seeds[1]), nats.CustomInboxPrefix(others[1].InboxPrefix()))
	if got := batch(t, nc, "LEDGER", `{"seq":1,"batch":10}`); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestOutletInfo: what the server says of itself names the address that programs know.
func TestOutletInfo(t *testing.T) {
	a := newAudience(t)
	other, _, err := NewOutletUser("other")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // before and after a change of who may read
		c, err := net.Dial("tcp", a.outlet.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		_ = c.Close()
		var info struct {
			Host string   `json:"host"`
			Port int      `json:"port"`
			URLs []string `json:"connect_urls"`
		}
		text, ok := strings.CutPrefix(line, "INFO ")
		if err != nil || !ok || json.Unmarshal([]byte(text), &info) != nil {
			t.Fatalf("got %q, %v", line, err)
		}
		if to := c.RemoteAddr().(*net.TCPAddr); info.Host != to.IP.String() || info.Port != to.Port || len(info.URLs) != 0 {
			t.Errorf("got %+v, want %s", info, to)
		}
		if err := a.outlet.SetUsers([]OutletUser{a.user, other}); err != nil {
			t.Fatal(err)
		}
	}
}
