package audit

import (
	"cmp"
	"iter"
	"slices"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// History yields the records of one subject up to and including a position, in
// the order of the log, without what is sealed. Folded, they are the state as of that position. It
// keeps sixteen bytes a record in memory. An error ends it.
func History(r projections.Reader, s events.Subject, upTo events.Position) iter.Seq2[events.Record, error] {
	return func(yield func(events.Record, error) bool) {
		places, err := placesOf(r, s, upTo)
		if err != nil {
			yield(events.Record{}, err)
			return
		}
		for _, at := range places {
			record, found, err := records.Get(r, at)
			if err != nil {
				yield(events.Record{}, err)
				return
			}
			if found && record.Subject == s && !yield(record.Record, nil) {
				return
			}
		}
	}
}

// placesOf is where a subject's records are, in the order of the log. The index
// is in the order of time, which is nearly the same.
func placesOf(r projections.Reader, s events.Subject, upTo events.Position) ([]place, error) {
	var out []place
	g := projections.Range{Prefix: row.AppendSubject(nil, s), Backward: true}
	for found, err := range bySubject.Scan(r, g) {
		if err != nil {
			return nil, err
		}
		if found.Key.at.position <= upTo {
			out = append(out, found.Key.at)
		}
	}
	slices.SortFunc(out, func(a, b place) int { return cmp.Compare(a.position, b.position) })
	return out, nil
}
