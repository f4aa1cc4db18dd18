package audit

import (
	"math"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// times has a row for every record that is later than all before it: at its
// time, the position of the record before it, which is the last one of the prefix whose
// times are all earlier.
var times = projections.Table[uint64, events.Position]{
	ID:        projections.TableTimes,
	AppendKey: row.AppendUint64,
	ParseKey: func(b []byte) (uint64, error) {
		p := row.Parse(b)
		return p.Uint64(), p.Done()
	},
	AppendValue: func(dst []byte, p events.Position) []byte { return row.AppendUvarint(dst, uint64(p)) },
	ParseValue: func(b []byte) (events.Position, error) {
		p := row.Parse(b)
		return events.Position(p.Uvarint()), p.Done()
	},
}

// latest has one row: the latest time so far, and the last position.
var latest = projections.Table[projections.None, place]{
	ID:        projections.TableLatest,
	AppendKey: func(dst []byte, _ projections.None) []byte { return dst },
	ParseKey: func(b []byte) (projections.None, error) {
		p := row.Parse(b)
		return projections.None{}, p.Done()
	},
	AppendValue: appendPlace,
	ParseValue:  parsePlace,
}

// tick brings the running maximum of times up to a record.
func tick(b *projections.Batch, at place) error {
	before, some, err := latest.Get(b, projections.None{})
	if err != nil {
		return err
	}
	now := place{max(before.instant, at.instant), at.position}
	if !some || at.instant > before.instant {
		times.Put(b, at.instant, before.position)
	}
	latest.Put(b, projections.None{}, now)
	return nil
}

// PositionAt is the end of the longest prefix of the log whose times are all
// at t or before; zero if the first record is later. Use a View to read what was true then.
func PositionAt(r projections.Reader, t time.Time) (events.Position, error) {
	if at := row.Instant(t); at < math.MaxUint64 {
		for next, err := range times.Scan(r, projections.Range{From: row.AppendUint64(nil, at+1)}) {
			return next.Value, err
		}
	}
	end, _, err := latest.Get(r, projections.None{})
	return end.position, err
}

// LastTime is the latest time of any record; zero if there is none.
func LastTime(from projections.Getter) (time.Time, error) {
	end, some, err := latest.Get(from, projections.None{})
	if err != nil || !some {
		return time.Time{}, err
	}
	return row.InstantTime(end.instant), nil
}
