package requests

import (
	"bytes"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
)

func TestPromises(t *testing.T) {
	projtest.Run(t, func() []projections.Part { return projtest.Critical(New()) }, projtest.NewHistory(2).Messages(800))
}

func TestEveryRequestIsFoundByItsName(t *testing.T) {
	story := projtest.NewHistory(3).Messages(500)
	s := projtest.Told(t, New(), story)
	abroad := 0
	for _, r := range projtest.Records(story) {
		scope := r.Meta.Scope
		if scope == "" {
			scope = r.Subject.Account
		}
		if scope != r.Subject.Account {
			abroad++
		}
		name := Name{Scope: scope, Actor: r.Meta.Actor, Request: r.Meta.Request}
		if got, found, err := Find(s.Store, name); err != nil || !found || got != (Done{r.Position, r.Meta.Digest}) {
			t.Fatalf("%+v: got %+v, %v, %v", name, got, found, err)
		}
		for _, other := range []Name{
			{"999999999999", name.Actor, name.Request},
			{name.Scope, name.Actor + "x", name.Request},
			{name.Scope, name.Actor, name.Request + "#2"},
			{name.Scope, name.Actor, events.RequestID(strings.ToUpper(string(name.Request)) + "A")},
		} {
			if got, found, err := Find(s.Store, other); found || err != nil {
				t.Fatalf("%+v: got %+v, %v", other, got, err)
			}
		}
	}
	if abroad == 0 {
		t.Error("no request had a scope of its own: the story is too thin")
	}
}

func FuzzParseRows(f *testing.F) {
	f.Add(appendName(nil, Name{"100000000001", "100000000001/200000000000000001", "00000001-0000-7000-9000-000000000001"}))
	f.Add(appendName(nil, Name{"100000000001", events.ActorTimekeeper, "purge#1"}))
	f.Add(appendDone(nil, Done{7, strings.Repeat("ab", 32)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseName(b); err == nil && !bytes.Equal(appendName(nil, n), b) {
			t.Errorf("name %x: %+v", b, n)
		}
		if d, err := parseDone(b); err == nil && !bytes.Equal(appendDone(nil, d), b) {
			t.Errorf("done %x: %+v", b, d)
		}
	})
}
