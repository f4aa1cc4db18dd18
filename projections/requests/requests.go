// Package requests knows which requests wrote something, for ever: a request
// that is sent again finds what it did the first time.
//
// The way in: [New] is the projection; [Find] is its query.
//
// The limits: a request that wrote nothing (a refusal, or a change that was no
// change) is not known here and may be decided anew.
package requests

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A Name is what a request is unique by. The ledger's own requests are named
// the same way.
type Name struct {
	Scope   events.AccountID
	Actor   events.Actor
	Request events.RequestID
}

// nameOf is the name of the request that a record came from.
func nameOf(r events.Record) Name {
	n := Name{Scope: r.Meta.Scope, Actor: r.Meta.Actor, Request: r.Meta.Request}
	if n.Scope == "" {
		n.Scope = r.Subject.Account
	}
	return n
}

// A Done is what a request did.
type Done struct {
	Position events.Position // of what it wrote
	Digest   string          // hex SHA-256 of what was asked
}

type projection struct{}

// New is the projection of requests. Its name is "requests".
func New() projections.Projection { return projection{} }

func (projection) Name() string { return "requests" }
func (projection) Version() int { return 1 }
func (projection) Tables() []projections.TableID {
	return []projections.TableID{projections.TableRequests}
}

// Apply remembers r's request. It cannot fail.
func (projection) Apply(b *projections.Batch, r events.Record) error {
	requests.Put(b, nameOf(r), Done{Position: r.Position, Digest: r.Meta.Digest})
	return nil
}

// Find is what a request did; found is false if it wrote nothing so far.
func Find(from projections.Getter, n Name) (d Done, found bool, err error) {
	return requests.Get(from, n)
}

var requests = projections.Table[Name, Done]{
	ID:          projections.TableRequests,
	AppendKey:   appendName,
	ParseKey:    parseName,
	AppendValue: appendDone,
	ParseValue:  parseDone,
	WriteOnly:   true,
}

func appendName(dst []byte, n Name) []byte {
	dst = row.AppendAccount(dst, n.Scope)
	dst = row.AppendActor(dst, n.Actor)
	return row.AppendUUID(dst, n.Request)
}

func parseName(b []byte) (Name, error) {
	p := row.Parse(b)
	return Name{Scope: p.Account(), Actor: p.Actor(), Request: events.RequestID(p.UUID())}, p.Done()
}

func appendDone(dst []byte, d Done) []byte {
	dst = row.AppendUvarint(append(dst, 1), uint64(d.Position))
	return row.AppendDigest(dst, d.Digest)
}

func parseDone(b []byte) (Done, error) {
	p := row.Parse(b)
	p.Version(1)
	return Done{Position: events.Position(p.Uvarint()), Digest: p.Digest()}, p.Done()
}
