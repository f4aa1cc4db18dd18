package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/keyledger/keyledger/events"
)

// The guards, by the names that logs, `doctor` and tests know them under.
const (
	GuardLock     = "lock"     // the directory is this process's alone
	GuardMissing  = "missing"  // every stream is there
	GuardConfig   = "config"   // every stream's configuration is ours
	GuardSync     = "sync"     // the server writes through as the profile says
	GuardWhole    = "whole"    // LEDGER begins at 1 and no position is missing
	GuardTail     = "tail"     // LEDGER reaches as far as it was known to reach
	GuardIdentity = "identity" // LEDGER is the stream that was made at the first start
	GuardContent  = "content"  // every message can be read and follows on what it says it follows
)

// A RefusedError says that the log, or its directory, is not what it has to be.
type RefusedError struct {
	Guard  string // one of the Guard names; stable
	Detail string // a sentence for the operator
}

func (e *RefusedError) Error() string {
	return "journal: refused by guard " + e.Guard + ": " + e.Detail
}

// Is reports whether the log has lost what it has to have, for those who know of no guard.
func (e *RefusedError) Is(target error) bool {
	return target == events.ErrLost && (e.Guard == GuardWhole || e.Guard == GuardContent)
}

func refused(guard, format string, args ...any) *RefusedError {
	return &RefusedError{Guard: guard, Detail: fmt.Sprintf(format, args...)}
}

// guarded is what was known about the log before it was opened.
type guarded struct {
	created time.Time       // of LEDGER; zero: not known
	stored  events.Position // the log reached at least this far
}

// guard holds the server and every stream to what they must be. It
// returns when LEDGER was made.
func (j *Journal) guard(ctx context.Context, known guarded) (created time.Time, err error) {
	if err := j.guardSync(); err != nil {
		return created, err
	}
	for _, c := range streams() {
		s, err := j.state(ctx, c.Name)
		if errors.Is(err, errNoStream) {
			return created, refused(GuardMissing, "stream %s is not there", c.Name)
		}
		if err != nil {
			return created, err
		}
		if err := guardConfig(c, s); err != nil {
			return created, err
		}
		if c.Name != streamLedger {
			continue
		}
		if err := guardLedger(s, known); err != nil {
			return created, err
		}
		created = s.Created
	}
	return created, nil
}

func (j *Journal) guardSync() error {
	always, interval := j.host.durability()
	switch {
	case j.config.Profile == Durable && !always:
		return refused(GuardSync, "the durable profile needs every write synced, but the server syncs every %v", interval)
	case j.config.Profile == Relaxed && !always && interval > relaxedSync:
		return refused(GuardSync, "the relaxed profile needs a sync every %v, but the server syncs every %v", relaxedSync, interval)
	}
	return nil
}

func guardLedger(s streamState, known guarded) error {
	st := s.State
	switch {
	case !known.created.IsZero() && !s.Created.Equal(known.created):
		return refused(GuardIdentity, "LEDGER was made at %v, but the log of this installation was made at %v: it is another log", s.Created.UTC(), known.created.UTC())
	case st.Last > 0 && st.First != 1:
		return refused(GuardWhole, "LEDGER begins at position %d instead of 1", st.First)
	case st.Deleted > 0 || st.Last != st.Messages:
		return refused(GuardWhole, "LEDGER ends at position %d but holds %d messages: %d are missing", st.Last, st.Messages, st.Last-st.Messages)
	case events.Position(st.Last) < known.stored:
		return refused(GuardTail, "LEDGER ends at position %d, but it reached position %d before: its tail is cut", st.Last, known.stored)
	}
	return nil
}

// guardConfig names every field of a stream's configuration that is not ours.
func guardConfig(want jetstream.StreamConfig, s streamState) error {
	ours, err := asJSON(want)
	if err != nil {
		return fmt.Errorf("journal: configuration of %s: %w", want.Name, err)
	}
	var differ []string
	for field := range union(ours, s.Config) {
		have, want := s.Config[field], ours[field]
		if field != "metadata" && !same(have, want) {
			differ = append(differ, fmt.Sprintf("%s is %v and must be %v", field, shown(have), shown(want)))
		}
	}
	if len(differ) == 0 {
		return nil
	}
	slices.Sort(differ)
	return refused(GuardConfig, "stream %s has another configuration: %s", want.Name, strings.Join(differ, "; "))
}

func asJSON(v any) (map[string]any, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(text, &m)
}

func union(a, b map[string]any) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

// same compares two values of JSON; one that is left out is its zero.
func same(a, b any) bool { return reflect.DeepEqual(a, b) || zero(a) && zero(b) }

func zero(v any) bool {
	if m, ok := v.(map[string]any); ok {
		for _, inner := range m {
			if !zero(inner) {
				return false
			}
		}
		return true
	}
	return v == nil || reflect.ValueOf(v).IsZero()
}

func shown(v any) string {
	if v == nil {
		return "not set"
	}
	text, _ := json.Marshal(v)
	return string(text)
}
