package projections_test

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/audit"
	"github.com/keyledger/keyledger/projections/deadlines"
	"github.com/keyledger/keyledger/projections/directory"
	"github.com/keyledger/keyledger/projections/keys"
	"github.com/keyledger/keyledger/projections/projtest"
	"github.com/keyledger/keyledger/projections/requests"
	"github.com/keyledger/keyledger/projections/row"
)

// ring is a stand-in for the state of a keyring: its keys and their last event.
type ring struct {
	keys   []events.AccessKeyID
	last   []string
	closed bool
}

// rings folds keyrings the way that a rule's own function would be folded.
func rings() *projections.Fold[ring] {
	return &projections.Fold[ring]{
		FoldName: "keyrings", FoldVersion: 1, Table: projections.TableKeyrings,
		Key: func(dst []byte, s events.Subject, _ events.Event) ([]byte, bool) {
			return row.AppendSubject(dst, s), s.User != ""
		},
		Evolve: evolveRing, Append: appendRing, Parse: parseRing,
	}
}

func evolveRing(r ring, e events.Event) ring {
	switch e.(type) {
	case events.KeyringClosed:
		r.closed = true
	case events.KeyringReopened:
		r.closed = false
	case events.KeyCreated:
		r.keys, r.last = append(r.keys, events.AccessKeyID(e.About())), append(r.last, e.Kind())
	default:
		for i, k := range r.keys {
			if string(k) == e.About() {
				r.last[i] = e.Kind()
			}
		}
	}
	return r
}

func appendRing(dst []byte, r ring) []byte {
	dst = row.AppendBool(append(dst, 1), r.closed)
	dst = row.AppendUvarint(dst, uint64(len(r.keys)))
	for i := range r.keys {
		dst = row.AppendString(row.AppendString(dst, r.keys[i]), r.last[i])
	}
	return dst
}

func parseRing(b []byte) (ring, error) {
	p := row.Parse(b)
	p.Version(1)
	r := ring{closed: p.Bool()}
	for n := p.Uvarint(); n > 0 && p.Err() == nil; n-- {
		r.keys, r.last = append(r.keys, events.AccessKeyID(p.Str())), append(r.last, p.Str())
	}
	return r, p.Done()
}

// members folds users, whose rows end when they are removed.
func members() *projections.Fold[string] {
	return &projections.Fold[string]{
		FoldName: "members", FoldVersion: 1, Table: projections.TableUserState,
		Key: func(dst []byte, s events.Subject, e events.Event) ([]byte, bool) {
			switch e.(type) {
			case events.UserAdded, events.UserRenamed, events.UserRemoved:
				return append(row.AppendAccount(dst, s.Account), e.About()...), true
			default:
				return dst, false
			}
		},
		Evolve: func(s string, e events.Event) string { return s + "," + e.Kind() },
		Ends:   func(e events.Event) bool { _, gone := e.(events.UserRemoved); return gone },
		Append: func(dst []byte, s string) []byte { return append(dst, s...) },
		Parse:  func(b []byte) (string, error) { return string(b), nil },
	}
}

// all is every projection there is, as a server has them, but all critical so
// that tests can wait for each.
func all() []projections.Part {
	return projtest.Critical(rings(), members(), keys.New(), directory.New(), deadlines.New(), requests.New(), audit.New())
}
