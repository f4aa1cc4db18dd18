package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/verify"
)

// A door lets a vendor's own programs in: every refusal speaks the vendor's
// words, and every change is the same as through the native API.
type door struct {
	*server
	name  string
	front dialect.Front
}

// open serves a request whose body could be read, and refuses any other in the
// vendor's words.
func (d door) open(w http.ResponseWriter, r *http.Request, wire *dialect.Request, id events.RequestID, unread *Problem) {
	if unread != nil {
		d.front.Refuse(w, wire, string(id), &dialect.Fault{Kind: dialect.Invalid, Detail: unread.Detail})
		return
	}
	d.serve(w, r, wire, id)
}

// serve authenticates a request to the vendor's API and has the front answer it.
func (d door) serve(w http.ResponseWriter, r *http.Request, wire *dialect.Request, id events.RequestID) {
	decision, err := d.Verifier.Verify(r.Context(), wire)
	if err != nil {
		d.decided(decision, err)
		d.front.Refuse(w, wire, string(id), d.fault(err, id))
		return
	}
	call := d.managementCall(r, wire, decision, d.service(wire, decision.Claim), d.front.Action(wire), id)
	defer call.settle()
	in, err := d.enter(r, wire, decision, id)
	in.call = call
	if err != nil {
		d.front.Refuse(w, wire, string(id), err)
		return
	}
	ctx := context.WithValue(r.Context(), inboundKey{}, in)
	d.front.Answer(ctx, w, wire, string(id), doorKeys{d.server})
}

// service is what a request is for: what its signature is scoped to, unless the front knows better; where neither
// knows, the vendor.
func (d door) service(wire *dialect.Request, c dialect.Claim) string {
	known := c.Service
	if s, ok := d.front.(dialect.Servicer); ok {
		known = orElse(s.Service(wire), known)
	}
	return orElse(known, d.name)
}

// enter finds out who sends a request, or says why it is refused in terms that
// a front knows.
func (d door) enter(r *http.Request, wire *dialect.Request, decision verify.Decision, id events.RequestID) (inbound, error) {
	if !decision.Allowed {
		return inbound{}, turnedAway(decision)
	}
	if err := d.front.CheckScope(wire, decision.Claim); err != nil {
		return inbound{}, err
	}
	if own := d.front.Identity(wire); own != "" {
		id = d.identity(own)
	}
	in, err := d.inbound(r, wire, decision, id, d.name)
	if err != nil {
		return inbound{}, d.fault(err, id)
	}
	return in, nil
}

// identity is the request ID for what a vendor's client calls its request:
// in a space of its own beside Idempotency-Keys, and shortened by a hash where it would be
// too long.
func (d door) identity(own string) events.RequestID {
	id := events.RequestID(d.name + "#" + own)
	if id.Valid() == nil {
		return id
	}
	sum := sha256.Sum256([]byte(own))
	return events.RequestID(d.name + "#" + hex.EncodeToString(sum[:]))
}

// turnedAway is why a request that is not genuine, or whose key is not active,
// is refused. An unknown, a disabled and a deleted key get the same answer, unless whoever asks
// holds the secret, or is out of time, whatever the key.
func turnedAway(d verify.Decision) error {
	switch {
	case d.Malformed != nil:
		return d.Malformed
	case d.Reason == verify.Unsigned:
		return dialect.ErrUnsigned
	case d.Reason == verify.KeyLocked:
		return dialect.ErrKeyLocked
	case d.Refused != nil && (d.Status == events.StatusActive || d.Refused.OutOfTime()):
		return d.Refused
	case d.Genuine && d.Status == events.StatusDisabled:
		return dialect.ErrKeyDisabled
	case d.Reason == verify.KeyRestricted:
		return dialect.ErrKeyRestricted
	case d.Network != nil:
		return d.Network
	}
	return dialect.ErrUnknownKey
}

// fault says in a front's terms what the floors below said.
func (s *server) fault(err error, id events.RequestID) error {
	if fault, ok := errors.AsType[*dialect.Fault](err); ok {
		return fault
	}
	p := s.logged(err, id)
	if refusal, ok := errors.AsType[*aggregate.Refusal](err); ok {
		return &dialect.Fault{Kind: kindOf(refusal), Detail: refusal.Detail}
	}
	switch p.Code {
	case codeUnknown:
		return &dialect.Fault{Kind: dialect.Unknown}
	case codeUnavailable, codeStale, codeOverloaded, codeDamaged:
		return &dialect.Fault{Kind: dialect.Unavailable}
	case codeCursor:
		return &dialect.Fault{Kind: dialect.Invalid, Detail: p.Detail}
	case codeDenied:
		return &dialect.Fault{Kind: dialect.Denied}
	}
	return &dialect.Fault{Kind: dialect.Internal}
}

func kindOf(r *aggregate.Refusal) dialect.Kind {
	switch r.Rule {
	case "request.reused":
		return dialect.Reused
	case "bin.full":
		return dialect.BinFull
	case "network_policy.locks_out":
		return dialect.Invalid
	case "user.not_found":
		return dialect.NoUser
	}
	return map[aggregate.RefusalKind]dialect.Kind{
		aggregate.Invalid: dialect.Invalid, aggregate.NotFound: dialect.NotFound, aggregate.Gone: dialect.NotFound,
		aggregate.Conflict: dialect.Conflict, aggregate.Limit: dialect.Limit, aggregate.Denied: dialect.Denied,
	}[r.Kind]
}

// doorKeys is the ledger as a front asks for it, on behalf of the caller in the
// context.
type doorKeys struct{ *server }

// Caller says who is calling.
func (k doorKeys) Caller(ctx context.Context) dialect.Identity {
	c := inboundOf(ctx).caller
	return dialect.Identity{
		Account: string(c.Account), UserID: string(c.User), UserName: c.Name, Root: c.Kind == events.KindRoot,
	}
}

// Create makes a key for a user.
func (k doorKeys) Create(ctx context.Context, of dialect.Owner, description string) (dialect.CreatedKey, error) {
	u, err := k.owner(ctx, permission.KeyWrite, of)
	if err != nil {
		return dialect.CreatedKey{}, err
	}
	created, err := k.Ledger.CreateKey(ctx, inboundOf(ctx).request, events.KeyringSubject(u.Account, u.ID), description)
	if err != nil {
		return dialect.CreatedKey{}, k.failed(ctx, err)
	}
	out := dialect.CreatedKey{Key: doorKey(u, Key{
		ID: created.Key, Status: events.StatusActive, Description: created.Description, CreatedAt: created.CreatedAt, ChangedAt: created.CreatedAt,
	})}
	if created.Secret != nil {
		out.Secret = dialect.Secret(created.Secret.Reveal())
	}
	return out, nil
}

// List lists the keys of a user that are not deleted.
func (k doorKeys) List(ctx context.Context, of dialect.Owner, cursor string, limit int) (page dialect.Page, err error) {
	u, keys, next, err := k.list(ctx, of, cursor, limit, events.StatusActive, events.StatusDisabled)
	for _, found := range keys {
		page.Keys = append(page.Keys, doorKey(u, found))
	}
	page.Next = next
	return page, err
}

// Bin lists the keys of a user in the recycle bin.
func (k doorKeys) Bin(ctx context.Context, of dialect.Owner, cursor string, limit int) (page dialect.BinPage, err error) {
	u, keys, next, err := k.list(ctx, of, cursor, limit, events.StatusDeleted)
	for _, found := range keys {
		page.Keys = append(page.Keys, binnedKey(u, found))
	}
	page.Next = next
	return page, err
}

func (k doorKeys) list(ctx context.Context, of dialect.Owner, cursor string, limit int, statuses ...string) (User, []Key, string, error) {
	u, err := k.owner(ctx, permission.KeyRead, of)
	if err != nil {
		return u, nil, "", err
	}
	keys, next, err := k.Queries.Keys(KeyFilter{Account: u.Account, User: u.ID, Statuses: statuses}, Page{Cursor: cursor, Limit: limit})
	return u, keys, next, k.failed(ctx, err)
}

func doorKey(u User, found Key) dialect.Key {
	return dialect.Key{
		UserID: string(u.ID), UserName: u.Name, AccessKeyID: string(found.ID), Active: found.Status == events.StatusActive,
		Description: found.Description, CreatedAt: found.CreatedAt, ChangedAt: found.ChangedAt,
	}
}

func binnedKey(u User, found Key) dialect.BinnedKey {
	return dialect.BinnedKey{
		UserID: string(u.ID), UserName: u.Name, AccessKeyID: string(found.ID),
		CreatedAt: found.CreatedAt, DeletedAt: found.DeletedAt, PurgeAt: found.PurgeAt,
	}
}

// Show is a key that is not deleted.
func (k doorKeys) Show(ctx context.Context, of dialect.Owner, accessKeyID string) (dialect.Key, error) {
	u, found, err := k.find(ctx, permission.KeyRead, of, accessKeyID, lives)
	return doorKey(u, found), err
}

// Binned is a key in the recycle bin.
func (k doorKeys) Binned(ctx context.Context, of dialect.Owner, accessKeyID string) (dialect.BinnedKey, error) {
	u, found, err := k.find(ctx, permission.KeyRead, of, accessKeyID, inBin)
	return binnedKey(u, found), err
}

// LastUsed is when a key of the caller's account was last used.
func (k doorKeys) LastUsed(ctx context.Context, of dialect.Owner, accessKeyID string) (dialect.LastUse, error) {
	u, found, err := k.find(ctx, permission.KeyRead, of, accessKeyID, func(Key) bool { return true })
	if err != nil {
		return dialect.LastUse{}, err
	}
	last, err := k.Records.LastOf([]events.AccessKeyID{found.ID})
	if err != nil {
		return dialect.LastUse{}, k.failed(ctx, err)
	}
	out := dialect.LastUse{UserName: u.Name}
	if used := last[0].Used; used != nil {
		out.Time, out.Service, out.Region = used.Time, used.Service, used.Region
	}
	return out, nil
}

// SetStatus enables or disables a key of a user.
func (k doorKeys) SetStatus(ctx context.Context, of dialect.Owner, accessKeyID string, active bool) error {
	return k.change(ctx, of, accessKeyID, lives, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		if active {
			return k.Ledger.EnableKey(ctx, req, id)
		}
		return k.Ledger.DisableKey(ctx, req, id, "")
	})
}

// Describe gives a key of a user a description.
func (k doorKeys) Describe(ctx context.Context, of dialect.Owner, accessKeyID, description string) error {
	return k.change(ctx, of, accessKeyID, lives, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		return k.Ledger.DescribeKey(ctx, req, id, description)
	})
}

// Update describes a key of a user and enables or disables it, by one decision.
func (k doorKeys) Update(ctx context.Context, of dialect.Owner, accessKeyID string, to dialect.Change) error {
	return k.change(ctx, of, accessKeyID, lives, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		return k.Ledger.UpdateKey(ctx, req, id, ledger.KeyUpdate{Active: to.Active, Description: to.Description})
	})
}

// Delete deletes a key of a user.
func (k doorKeys) Delete(ctx context.Context, of dialect.Owner, accessKeyID string) error {
	return k.change(ctx, of, accessKeyID, lives, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		return k.Ledger.DeleteKey(ctx, req, id)
	})
}

// Restore brings a key of a user back from the recycle bin.
func (k doorKeys) Restore(ctx context.Context, of dialect.Owner, accessKeyID string) error {
	return k.change(ctx, of, accessKeyID, inBin, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		return k.Ledger.RestoreKey(ctx, req, id)
	})
}

// Purge ends a key of a user in the recycle bin.
func (k doorKeys) Purge(ctx context.Context, of dialect.Owner, accessKeyID string) error {
	return k.change(ctx, of, accessKeyID, inBin, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		return k.Ledger.PurgeKey(ctx, req, id, events.CauseRequested)
	})
}

// change carries out a command on a key that the caller may change and that is there.
func (k doorKeys) change(ctx context.Context, of dialect.Owner, accessKeyID string, there func(Key) bool,
	do func(ledger.Request, events.AccessKeyID) (ledger.Outcome, error)) error {
	return k.changeAs(ctx, permission.KeyWrite, of, accessKeyID, there, do)
}

// changeAs is change for another operation of the permission table.
func (k doorKeys) changeAs(ctx context.Context, op permission.Operation, of dialect.Owner, accessKeyID string, there func(Key) bool,
	do func(ledger.Request, events.AccessKeyID) (ledger.Outcome, error)) error {
	_, found, err := k.find(ctx, op, of, accessKeyID, there)
	if err != nil {
		return err
	}
	_, err = do(inboundOf(ctx).request, found.ID)
	return k.failed(ctx, err)
}

// Quota is how many keys a user of the caller's account may have.
func (k doorKeys) Quota(ctx context.Context) (int, error) {
	a, _, err := k.Queries.Account(inboundOf(ctx).caller.Account)
	return int(a.Policy.Quota.Max), k.failed(ctx, err)
}

func (k doorKeys) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	in := inboundOf(ctx)
	err = k.fault(err, in.request.ID)
	if fault, ok := errors.AsType[*dialect.Fault](err); ok && fault.Kind == dialect.Denied {
		in.call.forbid()
	}
	return err
}

// owner is the user that a name or an ID of the vendor's API means, to whom the caller
// may do op. Vendors say "denied" where we hide a user of the same account.
func (k doorKeys) owner(ctx context.Context, op permission.Operation, of dialect.Owner) (u User, err error) {
	c, found := inboundOf(ctx).caller, false
	switch {
	case of.ID != "":
		u, found, err = k.Queries.User(c.Account, events.UserID(of.ID))
	case of.Name != "":
		u, found, err = k.Queries.UserByName(c.Account, of.Name)
	default:
		u, found, err = k.Queries.User(c.Account, c.User)
	}
	if err != nil {
		return User{}, k.failed(ctx, err)
	}
	if c.May(op, permission.Target{Account: c.Account, User: u.ID}) != permission.Allowed {
		return User{}, k.failed(ctx, &dialect.Fault{Kind: dialect.Denied})
	}
	if !found {
		return User{}, noUser(of)
	}
	return u, nil
}

func noUser(of dialect.Owner) *dialect.Fault {
	if of.ID != "" {
		return &dialect.Fault{Kind: dialect.NoUser, Detail: "The user with ID " + of.ID + " cannot be found."}
	}
	return &dialect.Fault{Kind: dialect.NoUser, Detail: "The user with name " + of.Name + " cannot be found."}
}

func lives(k Key) bool { return k.Status == events.StatusActive || k.Status == events.StatusDisabled }
func inBin(k Key) bool { return k.Status == events.StatusDeleted }

// find is a key of a user of the caller's account to which the caller may do op. What is
// hidden, is somebody else's, or is not there as it should be is not found; but an attempt to change a key that
// comes again finds what its first sending did, deleting included.
func (k doorKeys) find(ctx context.Context, op permission.Operation, of dialect.Owner, accessKeyID string, there func(Key) bool) (User, Key, error) {
	none := &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + accessKeyID + " cannot be found."}
	found, ok, err := k.Queries.Key(events.AccessKeyID(accessKeyID))
	if err != nil {
		return User{}, Key{}, k.failed(ctx, err)
	}
	c := inboundOf(ctx).caller
	if of.Any {
		if !ok || found.Owner.Account != c.Account || c.May(op, permission.Target{Account: c.Account, User: found.Owner.User}) != permission.Allowed {
			return User{}, Key{}, none
		}
		of = dialect.Owner{ID: string(found.Owner.User)}
	}
	u, err := k.owner(ctx, op, of)
	if err != nil {
		return User{}, Key{}, err
	}
	own := ok && found.Owner == events.KeyringSubject(u.Account, u.ID)
	if own && !there(found) && op == permission.KeyWrite {
		if own, err = k.Ledger.Recorded(inboundOf(ctx).request, found.Owner); err != nil {
			return User{}, Key{}, k.failed(ctx, err)
		}
	} else if own {
		own = there(found)
	}
	if !own {
		return User{}, Key{}, none
	}
	return u, found, nil
}
