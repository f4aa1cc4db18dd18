package deadlines

import (
	"bytes"
	"testing"

	"github.com/keyledger/keyledger/events"
)

func FuzzParseRows(f *testing.F) {
	ring := events.KeyringSubject("100000000001", "200000000000000001")
	f.Add(due.AppendKey(nil, dueKey{1 << 63, "KLAK1"}))
	f.Add(closed.AppendKey(nil, closedKey{1 << 63, ring}))
	f.Add(closedWhen.AppendKey(nil, ring))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := due.ParseKey(b); err == nil && !bytes.Equal(due.AppendKey(nil, k), b) {
			t.Errorf("due %x: %+v", b, k)
		}
		if k, err := closed.ParseKey(b); err == nil && !bytes.Equal(closed.AppendKey(nil, k), b) {
			t.Errorf("closed %x: %+v", b, k)
		}
		if s, err := parseSubject(b); err == nil && !bytes.Equal(closedWhen.AppendKey(nil, s), b) {
			t.Errorf("subject %x: %+v", b, s)
		}
		if v, err := parseInstant(b); err == nil && !bytes.Equal(dueOf.AppendValue(nil, v), b) {
			t.Errorf("instant %x: %d", b, v)
		}
	})
}
