package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
)

// fill sets every field of a value to something that is not zero.
func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(`{"a":1}`)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

// TestEveryFactIsKeptWhole goes through the catalog: whatever a fact says, but
// for what is sealed, is still there.
func TestEveryFactIsKeptWhole(t *testing.T) {
	var meta events.Meta
	fill(reflect.ValueOf(&meta).Elem())
	meta.Request = "request"
	compactly := 0
	for _, entry := range events.Catalog() {
		fact := reflect.New(entry.Shape).Elem()
		fill(fact)
		e := fact.Interface().(events.Event)
		r := events.Record{Position: 9, Subject: events.KeyringSubject("100000000001", "200000000000000001"), Meta: meta,
			Events: []events.Recorded{{ID: "01900000-0000-7000-8000-000000000001", Event: e}, {ID: "odd", Event: e}}}
		w, err := publish(r)
		if err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
		if w.data == nil {
			compactly++
		}
		w.peak = peak{true, 8}
		got, err := parseRecord(appendRecord(nil, w))
		for i := range r.Events {
			r.Events[i].Event = events.Public(e)
		}
		if err != nil || !reflect.DeepEqual(got.Record, r) || got.peak != w.peak {
			t.Errorf("%s: got %+v, %v\nwant %+v", entry.Name, got.Record, err, r)
		}
	}
	if compactly != 11 {
		t.Errorf("%d facts are written compactly, want 11", compactly)
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, r := range projtest.Records(projtest.NewHistory(1).Messages(60)) {
		w, err := publish(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(appendRecord(nil, w))
	}
	f.Add(bySubject.AppendKey(nil, entry[events.Subject]{events.AccountSubject("100000000001"), place{1 << 63, 7}}))
	f.Add(byActor.AppendKey(nil, entry[events.Actor]{events.ActorRecovery, place{1 << 63, 7}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if w, err := parseRecord(b); err == nil && !bytes.Equal(appendRecord(nil, w), b) {
			t.Errorf("record %x: %+v", b, w)
		}
		if p, err := peaks.ParseValue(b); err == nil && p.is && len(b) > 0 && b[1] != 1 {
			t.Errorf("peak %x: %+v", b, p)
		}
		again(t, b, &byAccount)
		again(t, b, &bySubject)
		again(t, b, &byActor)
		again(t, b, &byAction)
	})
}

func again[D any](t *testing.T, b []byte, table *projections.Table[entry[D], projections.None]) {
	if k, err := table.ParseKey(b); err == nil && !bytes.Equal(table.AppendKey(nil, k), b) {
		t.Errorf("%s %x: %+v", table.ID, b, k)
	}
}

func FuzzCursor(f *testing.F) {
	q := Filter{}.query()
	f.Add(q.Cursor(appendMark(nil, mark{place{1 << 63, 7}, 2})))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := resume(q, text)
		if err == nil && m != nil && q.Cursor(appendMark(nil, *m)) != text {
			t.Errorf("%q is %+v", text, m)
		}
	})
}

// TestPagesAreBounded lets a page look at few records only: it is short, has a
// rest, and nothing is lost.
func TestPagesAreBounded(t *testing.T) {
	defer func(was int) { scanned = was }(scanned)
	story := projtest.NewHistory(8).Messages(400)
	s := projtest.Told(t, New(), story)
	for _, scanned = range []int{1, 5} {
		bounded(t, s, story)
	}
}

func bounded(t *testing.T, s *projtest.Started, story []events.Message) {
	short := 0
	got := projtest.Pages(t, 10, func(cursor string) (projections.Page[Entry], error) {
		page, err := List(s.Store, Filter{Action: "key.purged"}, cursor, 10)
		if page.Next != "" && len(page.Items) == 0 {
			short++
		}
		return page, err
	})
	want := 0
	for _, r := range projtest.Records(story) {
		for _, e := range r.Events {
			if e.Event.Kind() == "key.purged" {
				want++
			}
		}
	}
	if len(got) != want || want == 0 || short == 0 {
		t.Errorf("got %d, want %d; %d empty pages", len(got), want, short)
	}
}
