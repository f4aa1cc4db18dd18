package journal

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A reader is what an outlet has for a program that may read: an account by the name of
// its key, and a connection of the outlet's own into it, which answers there and tells what is
// new. Whatever subject the program names, as its own or as the one to be answered on, is one
// of this account, which no other program is in.
//
// The server could link accounts instead (exports and imports), and would rename the subject
// of each answer. It is not done: the server remembers each request whose answer it would
// rename until it gives it up (a million in nine seconds, half a GiB, from one connection that
// asks for more than is answered), and has a reader that is added while it runs ask in vain:
// of an account that is new, a reload does not connect the imports (nats-server v2.15.2).
type reader struct {
	outlet   *Outlet
	user     OutletUser
	own      *server.User // the outlet itself, in the account
	account  *server.Account
	nc       *nats.Conn
	requests chan *nats.Msg
	ctx      context.Context // ends when it may read no more
	end      context.CancelFunc
}

func (o *Outlet) newReader(u OutletUser) *reader {
	r := &reader{outlet: o, user: u, requests: make(chan *nats.Msg, relayWaiting)}
	r.own = &server.User{Username: "keyledger-" + u.Key, Password: rand.Text(), AllowedConnectionTypes: connections("IN_PROCESS")}
	r.ctx, r.end = context.WithCancel(o.ctx)
	return r
}

// open begins to answer in the reader's account, which the server has to have by now.
func (r *reader) open() (err error) {
	if r.account, err = r.outlet.server.LookupAccount(r.user.Key); err != nil {
		return fmt.Errorf("journal: the account of a reader: %w", err)
	}
	r.nc, err = nats.Connect("", nats.InProcessServer(r.outlet.server), nats.UserInfo(r.own.Username, r.own.Password), nats.Name("keyledger outlet"),
		nats.MaxReconnects(-1), nats.ReconnectBufSize(-1), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			r.outlet.journal.log.Debug("journal: the outlet", "reader", r.user.Name, "error", err)
		}))
	if err != nil {
		return fmt.Errorf("journal: connect to the outlet: %w", err)
	}
	return r.answer()
}

// close ends what open began.
func (r *reader) close() {
	r.end()
	if r.nc != nil {
		r.nc.Close()
	}
}

// admit has the server know the accounts of readers, and let in those of them who are
// named in let. It cuts off everybody else, and strangers who have not proved who they are.
func (o *Outlet) admit(readers, let []*reader) error {
	next, err := o.admitting(readers, let)
	if err != nil {
		return err
	}
	if a, ok := o.server.Addr().(*net.TCPAddr); ok {
		next.Port = a.Port
	}
	if err := o.server.ReloadOptions(next); err != nil {
		return fmt.Errorf("journal: change who may read: %w", err)
	}
	return nil
}

// admitting are the server's options with which it does what admit says.
func (o *Outlet) admitting(readers, let []*reader) (*server.Options, error) {
	accounts, err := outletAccounts(readers)
	if err != nil {
		return nil, err
	}
	next := o.options
	next.Accounts = slices.Collect(maps.Values(accounts))
	// Without any user the server would ask nobody who he is. Nobody has this one's password.
	next.Users = []*server.User{{Username: "keyledger", Password: rand.Text(), Account: accounts[outletNobody], AllowedConnectionTypes: connections("IN_PROCESS")}}
	for _, r := range readers {
		own := *r.own
		own.Account = accounts[r.user.Key]
		next.Users = append(next.Users, &own)
	}
	for _, r := range let {
		next.Nkeys = append(next.Nkeys, r.user.in(accounts[r.user.Key]))
	}
	return &next, nil
}

// outletNobody is the account that no program is in. No public key is called that.
const outletNobody = "NOBODY"

// outletAccounts are the readers' accounts by name, and outletNobody. Each bounds how many
// connections its program has, so that none takes a place from another. The server takes that
// bound from its configuration language alone.
func outletAccounts(readers []*reader) (map[string]*server.Account, error) {
	const own = 1 // the outlet's connection is of the account too
	var text strings.Builder
	fmt.Fprintf(&text, "accounts {\n%s {}\n", outletNobody)
	for _, r := range readers {
		fmt.Fprintf(&text, "%s { limits { max_connections: %d } }\n", r.user.Key, outletPerProgram+own)
	}
	text.WriteString("}")
	var o server.Options
	if err := o.ProcessConfigString(text.String()); err != nil {
		return nil, fmt.Errorf("journal: the accounts of the outlet's readers: %w", err)
	}
	out := map[string]*server.Account{}
	for _, a := range o.Accounts {
		out[a.Name] = a
	}
	return out, nil
}

// in is the user as the server takes it: it may ask for what the outlet answers, and
// hear the answers and what is new. Nothing else is allowed.
func (u OutletUser) in(account *server.Account) *server.NkeyUser {
	return &server.NkeyUser{
		Nkey: u.Key, Account: account, AllowedConnectionTypes: connections("STANDARD"),
		Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: outletRequests()},
			Subscribe: &server.SubjectPermission{Allow: []string{u.InboxPrefix() + ".>", "ledger.>", "used.>"}},
		},
	}
}

func connections(kind string) map[string]struct{} { return map[string]struct{}{kind: {}} }
