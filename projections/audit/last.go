package audit

import (
	"time"

	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// LastTime is the latest time of any record; zero if there is none.
func LastTime(from projections.Getter) (time.Time, error) {
	last, some, err := end.Get(from, projections.None{})
	if err != nil || !some {
		return time.Time{}, err
	}
	return row.InstantTime(last.instant), nil
}
