package deadlines

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// Keys of the tables that are in order of time. The times are instants.
type (
	dueKey struct {
		at  uint64
		key events.AccessKeyID
	}
	closedKey struct {
		at      uint64
		keyring events.Subject
	}
)

var due = projections.Table[dueKey, events.Subject]{
	ID:        projections.TableDue,
	AppendKey: func(dst []byte, d dueKey) []byte { return append(row.AppendUint64(dst, d.at), d.key...) },
	ParseKey: func(b []byte) (dueKey, error) {
		p := row.Parse(b)
		at := p.Uint64()
		if err := p.Err(); err != nil {
			return dueKey{}, err
		}
		return dueKey{at, events.AccessKeyID(p.Rest())}, nil
	},
	AppendValue: row.AppendSubject,
	ParseValue:  parseSubject,
	WriteOnly:   true,
}

var dueOf = projections.Table[events.AccessKeyID, uint64]{
	ID:          projections.TableDueOf,
	AppendKey:   func(dst []byte, id events.AccessKeyID) []byte { return append(dst, id...) },
	ParseKey:    func(b []byte) (events.AccessKeyID, error) { return events.AccessKeyID(b), nil },
	AppendValue: row.AppendUint64,
	ParseValue:  parseInstant,
}

var closed = projections.Table[closedKey, projections.None]{
	ID:        projections.TableClosed,
	AppendKey: func(dst []byte, c closedKey) []byte { return row.AppendSubject(row.AppendUint64(dst, c.at), c.keyring) },
	ParseKey: func(b []byte) (closedKey, error) {
		p := row.Parse(b)
		return closedKey{p.Uint64(), p.Subject()}, p.Done()
	},
	WriteOnly: true,
}

var closedWhen = projections.Table[events.Subject, uint64]{
	ID:          projections.TableClosedWhen,
	AppendKey:   row.AppendSubject,
	ParseKey:    parseSubject,
	AppendValue: row.AppendUint64,
	ParseValue:  parseInstant,
}

func parseSubject(b []byte) (events.Subject, error) {
	p := row.Parse(b)
	return p.Subject(), p.Done()
}

func parseInstant(b []byte) (uint64, error) {
	p := row.Parse(b)
	return p.Uint64(), p.Done()
}
