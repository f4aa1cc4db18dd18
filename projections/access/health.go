package access

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/keyledger/keyledger/projections"
)

// logger is what Pebble reports to. Its Fatalf must not return, for Pebble would take a
// failed commit for a success: it panics, and commit turns that into an error. Within
// Pebble's own goroutines the panic ends the process, which is what Pebble asks for.
type logger struct{ health func(projections.Health) }

func (logger) Infof(string, ...any)  {}
func (logger) Errorf(string, ...any) {}

func (l logger) Fatalf(f string, args ...any) {
	e := &projections.StoreError{Detail: fmt.Sprintf(f, args...)}
	l.tell(projections.HealthFailed, e.Detail)
	panic(e)
}

func (l logger) tell(kind projections.HealthKind, detail string) {
	if l.health != nil {
		l.health(projections.Health{Kind: kind, Detail: detail})
	}
}

func recoverFatal(err *error) {
	switch p := recover().(type) {
	case nil:
	case *projections.StoreError:
		*err = p
	default:
		panic(p)
	}
}

func listener(health func(projections.Health)) *pebble.EventListener {
	tell := logger{health}.tell
	return &pebble.EventListener{
		BackgroundError:   func(err error) { tell(projections.HealthBackground, err.Error()) },
		DataCorruption:    func(i pebble.DataCorruptionInfo) { tell(projections.HealthCorrupt, i.String()) },
		DiskSlow:          func(i pebble.DiskSlowInfo) { tell(projections.HealthSlowDisk, i.String()) },
		LowDiskSpace:      func(i pebble.LowDiskSpaceInfo) { tell(projections.HealthLowDisk, i.String()) },
		PossibleAPIMisuse: func(i pebble.PossibleAPIMisuseInfo) { tell(projections.HealthMisuse, i.String()) },
		WriteStallBegin:   func(i pebble.WriteStallBeginInfo) { tell(projections.HealthStalled, i.Reason) },
		WriteStallEnd:     func() { tell(projections.HealthFlowing, "") },
	}
}

// commit writes b; a fault of the store's own log is an error.
func (s *Store) commit(b *pebble.Batch, o *pebble.WriteOptions) (err error) {
	defer recoverFatal(&err)
	return b.Commit(o)
}
