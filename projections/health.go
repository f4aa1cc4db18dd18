package projections

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// A Health is something that the store noticed about itself.
type Health struct {
	Kind   HealthKind
	Detail string // a sentence for operators
}

// A HealthKind is what kind of thing the store noticed.
type HealthKind string

// Kinds of what a store notices.
const (
	HealthFailed     HealthKind = "failed"     // it cannot go on; its error follows from Run or Open
	HealthBackground HealthKind = "background" // a flush or compaction failed and is tried again
	HealthCorrupt    HealthKind = "corrupt"    // a file is damaged: remove the store, it is rebuilt from the log
	HealthLowDisk    HealthKind = "low-disk"   // little space is left
	HealthSlowDisk   HealthKind = "slow-disk"  // a write takes very long
	HealthStalled    HealthKind = "stalled"    // writes wait for compactions
	HealthFlowing    HealthKind = "flowing"    // writes no longer wait
	HealthMisuse     HealthKind = "misuse"     // the program used the store wrongly
)

// A StoreError is a fault after which the store cannot go on writing.
type StoreError struct{ Detail string }

func (e *StoreError) Error() string { return "projections: the store failed: " + e.Detail }

// logger is what Pebble reports to. Its Fatalf must not return, for Pebble
// would take a failed commit for a success: it panics, and commit turns that
// into an error. Within Pebble's own locks and goroutines the panic ends the process, which
// is what Pebble asks for; the next start goes on from the rows that are on the disk.
type logger struct{ health func(Health) }

func (logger) Infof(string, ...any)  {}
func (logger) Errorf(string, ...any) {}

func (l logger) Fatalf(f string, args ...any) {
	e := &StoreError{Detail: fmt.Sprintf(f, args...)}
	tell(l.health, HealthFailed, e.Detail)
	panic(e)
}

func recoverFatal(err *error) {
	switch p := recover().(type) {
	case nil:
	case *StoreError:
		*err = p
	default:
		panic(p)
	}
}

func tell(health func(Health), kind HealthKind, detail string) {
	if health != nil {
		health(Health{Kind: kind, Detail: detail})
	}
}

func listener(health func(Health)) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { tell(health, HealthBackground, err.Error()) },
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			tell(health, HealthCorrupt, fmt.Sprintf("%s: %v", i.Path, i.Details))
		},
		DiskSlow:          func(i pebble.DiskSlowInfo) { tell(health, HealthSlowDisk, i.String()) },
		LowDiskSpace:      func(i pebble.LowDiskSpaceInfo) { tell(health, HealthLowDisk, i.String()) },
		PossibleAPIMisuse: func(i pebble.PossibleAPIMisuseInfo) { tell(health, HealthMisuse, i.String()) },
		WriteStallBegin:   func(i pebble.WriteStallBeginInfo) { tell(health, HealthStalled, i.Reason) },
		WriteStallEnd:     func() { tell(health, HealthFlowing, "") },
	}
}
