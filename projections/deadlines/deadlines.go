// Package deadlines knows what falls due: keys in the recycle bin that are to
// be purged, and keyrings that were closed but whose user still exists, which is a
// removal half done.
//
// The way in: [New] is the projection; [Due], [Next] and [Closed] are its queries.
//
// The limits: it says when, never that. The clock is the caller's.
package deadlines

import (
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A Purge is a key that is to be purged.
type Purge struct {
	Key     events.AccessKeyID
	Keyring events.Subject
	At      time.Time // UTC
}

// A HalfRemoved is a closed keyring whose user still exists.
type HalfRemoved struct {
	Keyring events.Subject
	Closed  time.Time // UTC
}

type projection struct{}

// New is the projection of deadlines. Its name is "deadlines".
func New() projections.Projection { return projection{} }

func (projection) Name() string { return "deadlines" }
func (projection) Version() int { return 1 }
func (projection) Tables() []projections.TableID {
	return []projections.TableID{projections.TableDue, projections.TableDueOf, projections.TableClosed, projections.TableClosedWhen}
}

// Apply folds r's events about deadlines in. It fails only if the store does.
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
	case events.KeyDeleted:
		if err := clearPurge(b, e.Key); err != nil {
			return err
		}
		due.Put(b, dueKey{row.Instant(e.PurgeAt), e.Key}, r.Subject)
		dueOf.Put(b, e.Key, row.Instant(e.PurgeAt))
		return nil
	case events.KeyRestored:
		return clearPurge(b, e.Key)
	case events.KeyPurged:
		return clearPurge(b, e.Key)
	case events.KeyringClosed:
		if err := clearClosed(b, r.Subject); err != nil {
			return err
		}
		closed.Put(b, closedKey{row.Instant(r.Meta.Time), r.Subject}, projections.None{})
		closedWhen.Put(b, r.Subject, row.Instant(r.Meta.Time))
		return nil
	case events.KeyringReopened:
		return clearClosed(b, r.Subject)
	case events.UserRemoved:
		return clearClosed(b, events.KeyringSubject(r.Subject.Account, e.User))
	default: // nothing else has to do with a deadline
		return nil
	}
}

func clearPurge(b *projections.Batch, id events.AccessKeyID) error {
	at, found, err := dueOf.Get(b, id)
	if found {
		due.Delete(b, dueKey{at, id})
		dueOf.Delete(b, id)
	}
	return err
}

func clearClosed(b *projections.Batch, s events.Subject) error {
	at, found, err := closedWhen.Get(b, s)
	if found {
		closed.Delete(b, closedKey{at, s})
		closedWhen.Delete(b, s)
	}
	return err
}

// Due is the keys that are to be purged at now or before, the longest due
// first, at most limit (all if it is not positive).
func Due(r projections.Reader, now time.Time, limit int) ([]Purge, error) {
	var out []Purge
	for found, err := range due.Scan(r, until(now)) {
		if err != nil {
			return nil, err
		}
		out = append(out, Purge{Key: found.Key.key, Keyring: found.Value, At: row.InstantTime(found.Key.at)})
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// Next is when the next key is to be purged; found is false if none is.
func Next(r projections.Reader) (at time.Time, found bool, err error) {
	for first, err := range due.Scan(r, projections.Range{}) {
		return row.InstantTime(first.Key.at), err == nil, err
	}
	return time.Time{}, false, nil
}

// Closed is the keyrings that were closed at before or earlier and whose user
// still exists, the longest closed first, at most limit (all if it is not positive).
func Closed(r projections.Reader, before time.Time, limit int) ([]HalfRemoved, error) {
	var out []HalfRemoved
	for found, err := range closed.Scan(r, until(before)) {
		if err != nil {
			return nil, err
		}
		out = append(out, HalfRemoved{Keyring: found.Key.keyring, Closed: row.InstantTime(found.Key.at)})
		if len(out) == limit {
			break
		}
	}
	return out, nil
}

// until is the rows whose time is t or before.
func until(t time.Time) projections.Range {
	if at := row.Instant(t) + 1; at != 0 {
		return projections.Range{To: row.AppendUint64(nil, at)}
	}
	return projections.Range{}
}
