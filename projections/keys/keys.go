// Package keys knows every access key that ever was: the key by its ID, its
// sealed secret, and the keys of a user or an account, newest first.
//
// The way in: [New] is the projection; [Find], [Sealed], [List] and [Bin] are its
// queries.
//
// The limits: a purged key keeps its row for ever, because its ID is never used
// again, and loses its secret. Newest first is the order in which the log took the keys
// in; a key keeps its place when its status changes. How many keys count towards a quota
// is a rule, and not asked here.
package keys

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

// A Status is where a key is in its life.
type Status string

// Statuses of keys, in the order of a key's life.
const (
	Active   Status = "active"
	Disabled Status = "disabled"
	Deleted  Status = "deleted" // in the recycle bin
	Purged   Status = "purged"
)

// A Key is what is known of an access key, its secret apart.
type Key struct {
	ID          events.AccessKeyID
	Account     events.AccountID
	User        events.UserID
	Status      Status
	Description string
	Cause       string          // of its creation: events.CauseRequested, ...
	Reason      string          // given when it was disabled; empty unless it is, or none was given
	PurgeCause  string          // empty unless purged
	CreatedAt   time.Time       // UTC, as all times here
	ChangedAt   time.Time       // when its status last changed
	DeletedAt   time.Time       // zero unless deleted, or purged out of the bin
	PurgeAt     time.Time       // when it falls due for purge; zero unless deleted
	PurgedAt    time.Time       // zero unless purged
	Created     events.Position // of its creation
	Last        events.Position // of the last event
	// Network is its own network policy; zero if it was never set, or if the key is purged.
	Network events.NetworkPolicy
	// Restriction is its leak protection; zero if it is not restricted, or purged.
	Restriction Restriction
}

// A Restriction says since when a key is under leak protection, and why.
type Restriction struct {
	Since   time.Time // UTC
	Reason  string    // empty if none was given
	FoundIn string    // where its secret was seen; empty if that was not said
}

// projection is the fold.
type projection struct{}

// New is the projection of keys. Its name is "keys".
func New() projections.Projection { return projection{} }

func (projection) Name() string { return "keys" }
func (projection) Version() int { return 1 }
func (projection) Tables() []projections.TableID {
	return []projections.TableID{projections.TableKeys, projections.TableSealed, projections.TableKeysByUser, projections.TableKeysByAccount}
}

// Apply folds r's events about keys in. It fails on what no log of ours
// should hold: a key that is created twice, or an event about a key that there is not or
// that is another user's.
func (projection) Apply(b *projections.Batch, r events.Record) error {
	for i := range r.Events {
		if err := apply(b, &r, r.Events[i].Event); err != nil {
			return err
		}
	}
	return nil
}

func apply(b *projections.Batch, r *events.Record, e events.Event) error {
	switch e := e.(type) {
	case events.KeyCreated:
		return create(b, r, e)
	case events.KeyDisabled:
		return change(b, r, e.Key, func(k *Key) { k.Status, k.Reason = Disabled, e.Reason })
	case events.KeyEnabled:
		return change(b, r, e.Key, func(k *Key) { k.Status, k.Reason = Active, "" })
	case events.KeyDeleted:
		return change(b, r, e.Key, func(k *Key) { k.Status, k.DeletedAt, k.PurgeAt = Deleted, r.Meta.Time, e.PurgeAt })
	case events.KeyRestored:
		return change(b, r, e.Key, func(k *Key) {
			k.Status, k.Reason, k.DeletedAt, k.PurgeAt = Disabled, "", time.Time{}, time.Time{}
		})
	case events.KeyPurged:
		secrets.Delete(b, e.Key)
		return change(b, r, e.Key, func(k *Key) {
			k.Status, k.PurgeAt, k.PurgedAt, k.PurgeCause = Purged, time.Time{}, r.Meta.Time, e.Cause
			k.Network, k.Restriction = events.NetworkPolicy{}, Restriction{}
		})
	case events.KeyDescribed:
		return change(b, r, e.Key, func(k *Key) { k.Description = e.Description })
	case events.KeyNetworkPolicySet:
		return change(b, r, e.Key, func(k *Key) { k.Network = e.NetworkPolicy })
	case events.KeyRestricted:
		return change(b, r, e.Key, func(k *Key) {
			k.Restriction = Restriction{Since: r.Meta.Time, Reason: e.Reason, FoundIn: e.FoundIn}
		})
	case events.KeyUnrestricted:
		return change(b, r, e.Key, func(k *Key) { k.Restriction = Restriction{} })
	default: // nothing else is about a key
		return nil
	}
}

func create(b *projections.Batch, r *events.Record, e events.KeyCreated) error {
	taken, err := rows.Has(b, e.Key)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("the key %s is created a second time", e.Key)
	}
	k := Key{
		ID: e.Key, Account: r.Subject.Account, User: r.Subject.User, Status: Active, Description: e.Description, Cause: e.Cause,
		CreatedAt: r.Meta.Time, ChangedAt: r.Meta.Time, Created: r.Position, Last: r.Position,
	}
	rows.Put(b, k.ID, k)
	byUser.Put(b, userPlace(&k), projections.None{})
	byAccount.Put(b, accountPlace(&k), projections.None{})
	if len(e.Sealed.Ciphertext) > 0 {
		secrets.Put(b, k.ID, e.Sealed)
	}
	return nil
}

// change edits the row of a key and moves it in the lists.
func change(b *projections.Batch, r *events.Record, id events.AccessKeyID, edit func(*Key)) error {
	k, found, err := rows.Get(b, id)
	if err != nil {
		return err
	}
	if !found || k.Account != r.Subject.Account || k.User != r.Subject.User {
		return fmt.Errorf("the key %s is not on the keyring %s", id, r.Subject)
	}
	before := k
	edit(&k)
	if k.Last = r.Position; k.Status != before.Status {
		k.ChangedAt = r.Meta.Time
	}
	rows.Put(b, id, k)
	if k.Status == before.Status {
		return nil
	}
	byAccount.Delete(b, accountPlace(&before))
	byAccount.Put(b, accountPlace(&k), projections.None{})
	if userPlace(&before) != userPlace(&k) {
		byUser.Delete(b, userPlace(&before))
		byUser.Put(b, userPlace(&k), projections.None{})
	}
	return nil
}

// Find is the key with an ID; found is false if there never was one.
func Find(from projections.Getter, id events.AccessKeyID) (k Key, found bool, err error) {
	return rows.Get(from, id)
}

// Sealed is the sealed secret of a key; found is false if there never was one,
// or if the key is purged.
func Sealed(from projections.Getter, id events.AccessKeyID) (s events.Sealed, found bool, err error) {
	return secrets.Get(from, id)
}

// All yields every key with its secret, in the order of their IDs. The secret
// is empty if there is none.
func All(r projections.Reader, yield func(Key, events.Sealed) error) error {
	for row, err := range rows.Scan(r, projections.Range{}) {
		if err != nil {
			return err
		}
		s, _, err := Sealed(r, row.Key)
		if err != nil {
			return err
		}
		if err := yield(row.Value, s); err != nil {
			return err
		}
	}
	return nil
}

// A Filter says which keys are listed.
type Filter struct {
	Account  events.AccountID // required
	User     events.UserID    // one user's keys; empty: all of the account
	Statuses []Status         // empty: all but purged
}

// List is a page of keys, newest first. The error is a *projections.CursorError
// or a fault.
func List(r projections.Reader, f Filter, cursor string, limit int) (projections.Page[Key], error) {
	f.Statuses = statuses(f.Statuses)
	q := f.query()
	after, err := q.Resume(cursor)
	if err != nil {
		return projections.Page[Key]{}, err
	}
	table, ranges := f.ranges()
	for i := range ranges {
		ranges[i] = ranges[i].After(after)
	}
	item := func(row projections.Row[place, projections.None]) (Key, bool, error) {
		k, found, err := rows.Get(r, row.Key.id)
		return k, found && slices.Contains(f.Statuses, k.Status), err
	}
	return projections.Collect(table.Merge(r, ranges), q, projections.Limit(limit), item)
}

// Bin is a page of the recycle bin of an account, or of one user if user is
// not empty; newest key first. Errors are those of List.
func Bin(r projections.Reader, a events.AccountID, user events.UserID, cursor string, limit int) (projections.Page[Key], error) {
	return List(r, Filter{Account: a, User: user, Statuses: []Status{Deleted}}, cursor, limit)
}

// statuses is what is asked for, in the order of a key's life.
func statuses(asked []Status) []Status {
	if len(asked) == 0 {
		return []Status{Active, Disabled, Deleted}
	}
	var out []Status
	for _, s := range lives {
		if slices.Contains(asked, s) {
			out = append(out, s)
		}
	}
	return out
}

func (f Filter) query() projections.Query {
	filters := []string{string(f.Account), string(f.User)}
	for _, s := range f.Statuses {
		filters = append(filters, string(s))
	}
	return projections.QueryOf("keys", filters...)
}
