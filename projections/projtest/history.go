package projtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
)

// A History makes up what could have happened: accounts open, users come, are
// renamed and go, and their keys live and die. The same seed makes the same history. It
// knows no rules: only what follows from what, so that no projection meets what no log
// would hold.
type History struct {
	// MaxUsers and MaxKeys bound the users of the history and the keys of one
	// user that are not purged.
	MaxUsers, MaxKeys int
	// MaxGatewayTokens bounds the gateway tokens of an account that are live. Zero,
	// as at first: there are no gateways in the history.
	MaxGatewayTokens int
	// Imports lets some keys come from elsewhere, which begins with a reservation. False at
	// first: every key is drawn.
	Imports bool

	rand     *rand.Rand
	position events.Position
	last     map[events.Subject]events.Position
	now      time.Time
	accounts []*account
	users    []*user
	serial   int
}

type account struct {
	id   events.AccountID
	live int // users that were not removed

	tokens []events.GatewayTokenID // that were not revoked
}

type user struct {
	account      *account
	id           events.UserID
	name, role   string
	grant        bool
	closed, gone bool
	keys         []*key

	reserved []events.AccessKeyID // and not imported so far
}

type key struct {
	id         events.AccessKeyID
	status     string
	purge      time.Time
	restricted bool
}

// NewHistory begins a history in an empty log.
func NewHistory(seed uint64) *History {
	return &History{
		MaxUsers: 50, MaxKeys: 5, rand: rand.New(rand.NewPCG(seed, 0x6b6579)),
		last: map[events.Subject]events.Position{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// Messages is the next n messages.
func (h *History) Messages(n int) []events.Message {
	out := make([]events.Message, n)
	for i := range out {
		out[i] = h.Next()
	}
	return out
}

// Next is the next message.
func (h *History) Next() events.Message {
	s, decided := h.happen()
	return h.Record(s, decided...)
}

// Record is the message of a decision that the caller made.
func (h *History) Record(s events.Subject, decided ...events.Event) events.Message {
	h.position++
	h.tick()
	d := events.Decision{Subject: s, After: h.last[s], Meta: h.meta(s)}
	for _, e := range decided {
		d.Events = append(d.Events, events.Recorded{ID: events.EventID(h.uuid()), Event: e})
	}
	data, err := events.Encode(d)
	if err != nil {
		panic(fmt.Sprintf("projtest: a history that cannot be written: %v", err))
	}
	h.last[s] = h.position
	return events.Message{Position: h.position, Subject: s.String(), Data: data}
}

// Records is what messages say.
func Records(messages []events.Message) []events.Record {
	out := make([]events.Record, len(messages))
	for i, m := range messages {
		r, err := events.Decode(m)
		if err != nil {
			panic(fmt.Sprintf("projtest: %v", err))
		}
		out[i] = r
	}
	return out
}

// tick lets time pass, and sometimes the clock go wrong.
func (h *History) tick() {
	switch n := h.rand.IntN(100); {
	case n < 2:
		h.now = h.now.Add(-time.Duration(h.rand.IntN(3600)) * time.Second)
	case n < 3:
		h.now = h.now.Add(24 * time.Hour)
	case n < 10: // at once
	default:
		h.now = h.now.Add(time.Duration(h.rand.Int64N(int64(time.Minute))))
	}
}

func (h *History) meta(s events.Subject) events.Meta {
	m := events.Meta{Time: h.now, Actor: events.ActorTimekeeper, Request: events.RequestID(h.uuid()), Digest: fmt.Sprintf("%064x", h.rand.Uint64())}
	if len(h.users) == 0 || h.rand.IntN(10) == 0 {
		return m
	}
	u := h.users[h.rand.IntN(len(h.users))]
	if h.rand.IntN(3) > 0 {
		for _, x := range h.users[:min(len(h.users), 20)] {
			if x.account.id == s.Account {
				u = x
			}
		}
	}
	m.Actor, m.Scope = events.UserActor(u.account.id, u.id), u.account.id
	m.SourceIP, m.Dialect, m.Policy = "192.0.2.7", "aws", 1
	if len(u.keys) > 0 {
		m.ActorKey = u.keys[0].id
	}
	return m
}

func (h *History) uuid() string {
	a, b := h.rand.Uint64(), h.rand.Uint64()
	return fmt.Sprintf("%08x-%04x-7%03x-9%03x-%012x", uint32(h.position), a>>48, a&0xfff, b&0xfff, b>>16)
}

// happen decides what happens next.
func (h *History) happen() (events.Subject, []events.Event) {
	if len(h.accounts) == 0 || h.rand.IntN(200) == 0 && len(h.accounts) < 20 {
		return h.open()
	}
	if len(h.users) < h.MaxUsers && h.rand.IntN(6) == 0 {
		return h.add()
	}
	if h.MaxGatewayTokens > 0 && h.rand.IntN(10) == 0 {
		return h.gateway(h.accounts[h.rand.IntN(len(h.accounts))])
	}
	u := h.users[h.rand.IntN(len(h.users))]
	switch {
	case u.gone:
		return h.policy(u.account)
	case h.rand.IntN(25) == 0:
		return h.person(u)
	case u.closed && h.rand.IntN(8) > 0:
		return h.policy(u.account)
	case u.closed:
		return h.remove(u)
	default:
		return h.keyring(u)
	}
}

// gateway lets an account create or revoke a gateway token.
func (h *History) gateway(a *account) (events.Subject, []events.Event) {
	s := events.AccountSubject(a.id)
	if len(a.tokens) > 0 && (len(a.tokens) >= h.MaxGatewayTokens || h.rand.IntN(3) == 0) {
		i := h.rand.IntN(len(a.tokens))
		id := a.tokens[i]
		a.tokens = slices.Delete(a.tokens, i, i+1)
		return s, []events.Event{events.GatewayTokenRevoked{Token: id, Name: "edge"}}
	}
	h.serial++
	id := events.GatewayTokenID(fmt.Sprintf("KLGT%016d", h.serial))
	a.tokens = append(a.tokens, id)
	return s, []events.Event{events.GatewayTokenCreated{
		Token: id, Name: "edge", Account: a.id, Installation: a == h.accounts[0] && h.rand.IntN(2) == 0, Hash: fmt.Sprintf("%064x", h.rand.Uint64()),
	}}
}

func (h *History) open() (events.Subject, []events.Event) {
	h.serial++
	a := &account{id: events.AccountID(fmt.Sprintf("1%011d", h.serial))}
	u := h.newUser(a)
	h.accounts = append(h.accounts, a)
	return events.AccountSubject(a.id), []events.Event{
		events.AccountOpened{Account: a.id, Name: fmt.Sprintf("Account %d", h.serial%7), Operator: len(h.accounts) == 1, Preset: "strict", Policy: policy},
		events.UserAdded{User: u.id, Name: u.name, UserKind: events.KindRoot, Role: u.role},
	}
}

var policy = events.Policy{Quota: events.Quota{Max: 5, Counts: "active+disabled"}, SelfService: "on"}

func (h *History) newUser(a *account) *user {
	h.serial++
	u := &user{account: a, id: events.UserID(fmt.Sprintf("2%017d", h.serial)), name: fmt.Sprintf("User-%d", h.serial), role: events.RoleAdmin}
	a.live++
	h.users = append(h.users, u)
	return u
}

func (h *History) add() (events.Subject, []events.Event) {
	u := h.newUser(h.accounts[h.rand.IntN(len(h.accounts))])
	u.role = events.RoleUser
	return events.AccountSubject(u.account.id), []events.Event{events.UserAdded{User: u.id, Name: u.name, UserKind: events.KindUser, Role: u.role}}
}

func (h *History) policy(a *account) (events.Subject, []events.Event) {
	if h.rand.IntN(4) == 0 {
		return events.AccountSubject(a.id), []events.Event{events.AccountNetworkPolicySet{Account: a.id, NetworkPolicy: h.network()}}
	}
	return events.AccountSubject(a.id), []events.Event{events.PolicyChanged{Account: a.id, Preset: []string{"strict", "obs"}[h.rand.IntN(2)], Policy: policy}}
}

// person lets something happen to a user rather than to its keys.
func (h *History) person(u *user) (events.Subject, []events.Event) {
	s := events.AccountSubject(u.account.id)
	switch h.rand.IntN(4) {
	case 0:
		h.serial++
		from := u.name
		u.name = fmt.Sprintf("Renamed-%d", h.serial)
		return s, []events.Event{events.UserRenamed{User: u.id, From: from, To: u.name}}
	case 1:
		from := u.role
		u.role = []string{events.RoleAdmin, events.RoleUser, events.RoleAuditor}[h.rand.IntN(3)]
		return s, []events.Event{events.UserRoleChanged{User: u.id, From: from, To: u.role}}
	case 2:
		if u.grant = !u.grant; u.grant {
			return s, []events.Event{events.UserGranted{User: u.id, Grant: events.GrantManageOwnKeys}}
		}
		return s, []events.Event{events.UserGrantRevoked{User: u.id, Grant: events.GrantManageOwnKeys}}
	default:
		return h.close(u)
	}
}

// close begins or takes back a removal.
func (h *History) close(u *user) (events.Subject, []events.Event) {
	s := events.KeyringSubject(u.account.id, u.id)
	if u.closed {
		u.closed = false
		return s, []events.Event{events.KeyringReopened{User: u.id}}
	}
	if u.account.live < 2 {
		return h.policy(u.account)
	}
	u.closed = true
	var decided []events.Event
	for _, k := range u.keys {
		decided = append(decided, events.KeyPurged{Key: k.id, Cause: events.CauseRequested})
	}
	u.keys = nil
	return s, append(decided, events.KeyringClosed{User: u.id})
}

func (h *History) remove(u *user) (events.Subject, []events.Event) {
	u.gone = true
	u.account.live--
	return events.AccountSubject(u.account.id), []events.Event{events.UserRemoved{User: u.id, Name: u.name}}
}
