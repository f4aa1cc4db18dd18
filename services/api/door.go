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
		d.front.Refuse(w, wire, string(id), d.fault(err, id))
		return
	}
	d.record(r, decision, decision.Claim.Service, d.front.Action(wire), id)
	in, err := d.enter(r, wire, decision, id)
	if err != nil {
		d.front.Refuse(w, wire, string(id), err)
		return
	}
	ctx := context.WithValue(r.Context(), inboundKey{}, in)
	d.front.Answer(ctx, w, wire, string(id), doorKeys{d.server})
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
// is refused: an unknown, a disabled and a deleted key get the same answer.
func turnedAway(d verify.Decision) error {
	switch {
	case d.Malformed != nil:
		return d.Malformed
	case d.Reason == verify.Unsigned:
		return dialect.ErrUnsigned
	case d.Refused != nil && d.Status == events.StatusActive:
		return d.Refused
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
	case codeUnavailable, codeStale:
		return &dialect.Fault{Kind: dialect.Unavailable}
	case codeCursor:
		return &dialect.Fault{Kind: dialect.Invalid, Detail: p.Detail}
	case codeDenied:
		return &dialect.Fault{Kind: dialect.Denied}
	}
	return &dialect.Fault{Kind: dialect.Internal}
}

func kindOf(r *aggregate.Refusal) dialect.Kind {
	if r.Rule == "request.reused" {
		return dialect.Reused
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
func (k doorKeys) Create(ctx context.Context, user string) (dialect.CreatedKey, error) {
	u, err := k.owner(ctx, permission.KeyWrite, user)
	if err != nil {
		return dialect.CreatedKey{}, err
	}
	created, err := k.Ledger.CreateKey(ctx, inboundOf(ctx).request, events.KeyringSubject(u.Account, u.ID), "")
	if err != nil {
		return dialect.CreatedKey{}, k.failed(ctx, err)
	}
	out := dialect.CreatedKey{Key: dialect.Key{UserName: u.Name, AccessKeyID: string(created.Key), Active: true, CreatedAt: created.CreatedAt}}
	if created.Secret != nil {
		out.Secret = dialect.Secret(created.Secret.Reveal())
	}
	return out, nil
}

// List lists the keys of a user that are not deleted.
func (k doorKeys) List(ctx context.Context, user, cursor string, limit int) (dialect.Page, error) {
	u, err := k.owner(ctx, permission.KeyRead, user)
	if err != nil {
		return dialect.Page{}, err
	}
	f := KeyFilter{Account: u.Account, User: u.ID, Statuses: []string{events.StatusActive, events.StatusDisabled}}
	keys, next, err := k.Queries.Keys(f, Page{Cursor: cursor, Limit: limit})
	if err != nil {
		return dialect.Page{}, k.failed(ctx, err)
	}
	page := dialect.Page{Next: next}
	for _, found := range keys {
		page.Keys = append(page.Keys, dialect.Key{
			UserName: u.Name, AccessKeyID: string(found.ID), Active: found.Status == events.StatusActive, CreatedAt: found.CreatedAt,
		})
	}
	return page, nil
}

// LastUsed is when a key of the caller's account was last used.
func (k doorKeys) LastUsed(ctx context.Context, accessKeyID string) (dialect.LastUse, error) {
	none := &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + accessKeyID + " cannot be found."}
	found, ok, err := k.Queries.Key(events.AccessKeyID(accessKeyID))
	if err != nil {
		return dialect.LastUse{}, k.failed(ctx, err)
	}
	c := inboundOf(ctx).caller
	if !ok || found.Owner.Account != c.Account || c.May(permission.KeyRead, permission.Target{Account: c.Account, User: found.Owner.User}) != permission.Allowed {
		return dialect.LastUse{}, none
	}
	u, _, err := k.Queries.User(found.Owner.Account, found.Owner.User)
	if err != nil {
		return dialect.LastUse{}, k.failed(ctx, err)
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
func (k doorKeys) SetStatus(ctx context.Context, user, accessKeyID string, active bool) error {
	id, err := k.key(ctx, user, accessKeyID)
	if err != nil {
		return err
	}
	if active {
		_, err = k.Ledger.EnableKey(ctx, inboundOf(ctx).request, id)
	} else {
		_, err = k.Ledger.DisableKey(ctx, inboundOf(ctx).request, id, "")
	}
	return k.failed(ctx, err)
}

// Delete deletes a key of a user.
func (k doorKeys) Delete(ctx context.Context, user, accessKeyID string) error {
	id, err := k.key(ctx, user, accessKeyID)
	if err != nil {
		return err
	}
	_, err = k.Ledger.DeleteKey(ctx, inboundOf(ctx).request, id)
	return k.failed(ctx, err)
}

func (k doorKeys) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return k.fault(err, inboundOf(ctx).request.ID)
}

// owner is the user that a name of the vendor's API means, to whom the caller
// may do op. Vendors say "denied" where we hide a user of the same account.
func (k doorKeys) owner(ctx context.Context, op permission.Operation, name string) (User, error) {
	c := inboundOf(ctx).caller
	u, found, err := k.Queries.User(c.Account, c.User)
	if name != "" {
		u, found, err = k.Queries.UserByName(c.Account, name)
	}
	if err != nil {
		return User{}, k.failed(ctx, err)
	}
	target := permission.Target{Account: c.Account, User: u.ID}
	if c.May(op, target) != permission.Allowed {
		return User{}, &dialect.Fault{Kind: dialect.Denied}
	}
	if !found {
		return User{}, &dialect.Fault{Kind: dialect.NotFound, Detail: "The user with name " + name + " cannot be found."}
	}
	return u, nil
}

// key is a key of a user that the caller may change and that is not deleted.
func (k doorKeys) key(ctx context.Context, user, accessKeyID string) (events.AccessKeyID, error) {
	u, err := k.owner(ctx, permission.KeyWrite, user)
	if err != nil {
		return "", err
	}
	found, ok, err := k.Queries.Key(events.AccessKeyID(accessKeyID))
	if err != nil {
		return "", k.failed(ctx, err)
	}
	own := ok && found.Owner == events.KeyringSubject(u.Account, u.ID)
	there := own && (found.Status == events.StatusActive || found.Status == events.StatusDisabled)
	if own && !there {
		// An attempt that comes again finds what its first sending did, deleting included.
		there, err = k.Ledger.Recorded(inboundOf(ctx).request, found.Owner)
		if err != nil {
			return "", k.failed(ctx, err)
		}
	}
	if !there {
		return "", &dialect.Fault{Kind: dialect.NotFound, Detail: "The Access Key with id " + accessKeyID + " cannot be found."}
	}
	return found.ID, nil
}
