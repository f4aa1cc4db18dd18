package audit

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A place is where a record is: its time, as an instant, and its position. In
// bytes, the latest comes first.
type place struct {
	instant  uint64
	position events.Position
}

const placeBytes = 16

func appendPlace(dst []byte, p place) []byte {
	return row.AppendDescending(row.AppendDescending(dst, p.instant), uint64(p.position))
}

func parsePlace(b []byte) (place, error) {
	p := row.Parse(b)
	return readPlace(&p), p.Done()
}

func readPlace(p *row.Parser) place {
	return place{p.Descending(), events.Position(p.Descending())}
}

var records = projections.Table[place, written]{
	ID: projections.TableAudit, AppendKey: appendPlace, ParseKey: parsePlace, AppendValue: appendRecord, ParseValue: parseRecord,
	WriteOnly: true,
}

// recordPlaces is records for those who need not read them.
var recordPlaces = projections.Table[place, projections.None]{ID: projections.TableAudit, AppendKey: appendPlace, ParseKey: parsePlace}

// An entry of an index points from a value to a record that has it.
type entry[D any] struct {
	of D
	at place
}

// index is a table of entries.
func index[D any](id projections.TableID, appendPart func([]byte, D) []byte, parse func(*row.Parser) D) projections.Table[entry[D], projections.None] {
	return projections.Table[entry[D], projections.None]{
		ID:        id,
		AppendKey: func(dst []byte, e entry[D]) []byte { return appendPlace(appendPart(dst, e.of), e.at) },
		ParseKey: func(b []byte) (entry[D], error) {
			p := row.Parse(b)
			return entry[D]{parse(&p), readPlace(&p)}, p.Done()
		},
		WriteOnly: true,
	}
}

var (
	byAccount = index(projections.TableAuditByAccount, row.AppendAccount, (*row.Parser).Account)
	bySubject = index(projections.TableAuditBySubject, row.AppendSubject, (*row.Parser).Subject)
	byActor   = index(projections.TableAuditByActor, row.AppendActor, (*row.Parser).Actor)
	byAction  = index(projections.TableAuditByAction, row.AppendString[string], (*row.Parser).Str)
)

// keyrings is where a key's events are.
var keyrings = projections.Table[events.AccessKeyID, events.Subject]{
	ID:          projections.TableAuditKeyrings,
	AppendKey:   func(dst []byte, id events.AccessKeyID) []byte { return append(dst, id...) },
	ParseKey:    func(b []byte) (events.AccessKeyID, error) { return events.AccessKeyID(b), nil },
	AppendValue: row.AppendSubject,
	ParseValue: func(b []byte) (events.Subject, error) {
		p := row.Parse(b)
		return p.Subject(), p.Done()
	},
	WriteOnly: true,
}
