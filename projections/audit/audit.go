// Package audit knows everything that happened: every event with who asked for
// it, when and from where; by account, user, actor, key and action, newest first.
//
// The way in: [New] is the projection; [List] answers with filters and cursors,
// [History] gives one boundary's records back for an answer as of a moment, and [PositionAt]
// turns a time into a position.
//
// The limits: what is sealed is left out. Newest first is by the time that was
// recorded; records of the same time are in the order of the log. A page looks at a bounded
// number of records, so that it may be short and still have a rest.
package audit

import (
	"encoding/json"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

type projection struct{}

// New is the projection of the audit. Its name is "audit".
func New() projections.Projection { return projection{} }

func (projection) Name() string { return "audit" }
func (projection) Version() int { return 1 }
func (projection) Tables() []projections.TableID {
	return []projections.TableID{
		projections.TableAudit, projections.TableAuditByAccount, projections.TableAuditBySubject, projections.TableAuditByActor,
		projections.TableAuditByAction, projections.TableAuditKeyrings, projections.TableAuditEnd,
	}
}

// Apply writes r down, once, and points to it from the indexes. It fails on a
// record that the codec of events would not write.
func (projection) Apply(b *projections.Batch, r events.Record) error {
	w, err := publish(r)
	if err != nil {
		return err
	}
	at := place{row.Instant(r.Meta.Time), r.Position}
	if w.peak, err = tick(b, at); err != nil {
		return err
	}
	records.Put(b, at, w)
	owner := r.Owner()
	byAccount.Put(b, entry[events.AccountID]{owner.Account, at}, projections.None{})
	bySubject.Put(b, entry[events.Subject]{owner, at}, projections.None{})
	byActor.Put(b, entry[events.Actor]{r.Meta.Actor, at}, projections.None{})
	for i := range r.Events {
		pointTo(b, owner, r.Events[i].Event, at)
	}
	return nil
}

// pointTo indexes an event of a record. What happens to keys is nearly
// everything that happens: such events have no index by action, for a scan finds them as
// fast, and a key is found by way of its keyring.
func pointTo(b *projections.Batch, s events.Subject, e events.Event, at place) {
	switch e := e.(type) {
	case events.KeyCreated:
		keyrings.Put(b, e.Key, s)
	case events.KeyReserved:
		keyrings.Put(b, e.Key, s) // its key may never come
	default: // its key was created, or it is about none
	}
	kind := e.Kind()
	if !rare(kind) {
		return
	}
	byAction.Put(b, entry[string]{kind, at}, projections.None{})
	if s.User == "" && strings.HasPrefix(kind, "user.") {
		// A user's own facts are its account's, but belong to its story.
		bySubject.Put(b, entry[events.Subject]{events.KeyringSubject(s.Account, events.UserID(e.About())), at}, projections.None{})
	}
}

// rare says whether events of a kind are indexed by action.
func rare(kind string) bool { return !strings.HasPrefix(kind, "key.") }

// An Entry is one event as the audit shows it.
type Entry struct {
	Position events.Position
	Index    int // of the event among those of the same decision
	ID       events.EventID
	Subject  events.Subject
	Meta     events.Meta
	Event    events.Event // without what is sealed
}

// CloudEvent is the entry as those outside may see it.
func (e Entry) CloudEvent() (json.RawMessage, error) {
	r := events.Record{Position: e.Position, Subject: e.Subject, Meta: e.Meta, Events: []events.Recorded{{ID: e.ID, Event: e.Event}}}
	return events.EncodePublic(r, 0)
}
