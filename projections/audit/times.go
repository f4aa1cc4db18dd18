package audit

import (
	"math"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A peak says whether a record is later than all before it, and where the log
// ended then: that is the end of the prefix whose times are all earlier.
type peak struct {
	is     bool
	before events.Position
}

// end has one row: the latest time so far, and the last position.
var end = projections.Table[projections.None, place]{
	ID:        projections.TableAuditEnd,
	AppendKey: func(dst []byte, _ projections.None) []byte { return dst },
	ParseKey: func(b []byte) (projections.None, error) {
		p := row.Parse(b)
		return projections.None{}, p.Done()
	},
	AppendValue: appendPlace,
	ParseValue:  parsePlace,
}

// tick brings the running maximum of times up to a record.
func tick(b *projections.Batch, at place) (peak, error) {
	before, some, err := end.Get(b, projections.None{})
	if err != nil {
		return peak{}, err
	}
	end.Put(b, projections.None{}, place{max(before.instant, at.instant), at.position})
	return peak{is: !some || at.instant > before.instant, before: before.position}, nil
}

// PositionAt is the end of the longest prefix of the log whose times are all
// at t or before; zero if the first record is later. Use a View to read what was true then.
// It looks at the records after t up to the first that is later than all before it: one,
// unless the clock was once ahead.
func PositionAt(r projections.Reader, t time.Time) (events.Position, error) {
	if at := row.Instant(t); at < math.MaxUint64 {
		later := projections.Range{To: row.AppendDescending(nil, at), Backward: true}
		for row, err := range peaks.Scan(r, later) {
			if err != nil || row.Value.is {
				return row.Value.before, err
			}
		}
	}
	last, _, err := end.Get(r, projections.None{})
	return last.position, err
}

// peaks is records for those who look for peaks only.
var peaks = projections.Table[place, peak]{
	ID: projections.TableAudit, AppendKey: appendPlace, ParseKey: parsePlace,
	ParseValue: func(b []byte) (peak, error) {
		p := row.Parse(b)
		p.Version(compact, encoded)
		return parsePeak(&p), p.Err()
	},
}

func appendPeak(dst []byte, p peak) []byte {
	dst = row.AppendBool(dst, p.is)
	if !p.is {
		return dst
	}
	return row.AppendUvarint(dst, uint64(p.before))
}

func parsePeak(p *row.Parser) peak {
	if !p.Bool() {
		return peak{}
	}
	return peak{is: true, before: events.Position(p.Uvarint())}
}
