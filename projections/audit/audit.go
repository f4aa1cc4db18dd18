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
		projections.TableAuditByKey, projections.TableAuditByAction, projections.TableTimes, projections.TableLatest,
	}
}

// Apply writes r down, once, and points to it from every index. It fails on a
// record that the codec of events would not write.
func (projection) Apply(b *projections.Batch, r events.Record) error {
	public, err := publish(r)
	if err != nil {
		return err
	}
	at := place{row.Instant(r.Meta.Time), r.Position}
	records.Put(b, at, public)
	byAccount.Put(b, entry[events.AccountID]{r.Subject.Account, at}, projections.None{})
	bySubject.Put(b, entry[events.Subject]{r.Subject, at}, projections.None{})
	byActor.Put(b, entry[events.Actor]{r.Meta.Actor, at}, projections.None{})
	for i := range r.Events {
		pointTo(b, r.Subject, r.Events[i].Event, at)
	}
	return tick(b, at)
}

// pointTo indexes an event of a record. The same row may be written for
// several events.
func pointTo(b *projections.Batch, s events.Subject, e events.Event, at place) {
	kind := e.Kind()
	byAction.Put(b, entry[string]{kind, at}, projections.None{})
	switch {
	case strings.HasPrefix(kind, "key."):
		byKey.Put(b, entry[string]{e.About(), at}, projections.None{})
	case s.User == "" && strings.HasPrefix(kind, "user."):
		// A user's own facts are its account's, but belong to its story.
		bySubject.Put(b, entry[events.Subject]{events.KeyringSubject(s.Account, events.UserID(e.About())), at}, projections.None{})
	}
}

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
