package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
)

// A decision of several events is one message, and comes back whole.
func TestBatch(t *testing.T) {
	d := decisionOf(events.KeyDisabled{Key: key}, events.KeyDeleted{Key: key, PurgeAt: purgeAt}, events.KeyPurged{Key: key, Cause: events.CauseNoBin})
	r, err := events.Decode(messageOf(t, d))
	if err != nil {
		t.Fatal(err)
	}
	if want := (events.Record{Position: 42, Subject: d.Subject, Meta: d.Meta, Events: d.Events}); !reflect.DeepEqual(r, want) {
		t.Errorf("got\n%s\nwant\n%s", show(r), show(want))
	}
}

// The least that a decision says, in the account's own subject, comes back too.
func TestSmallestDecision(t *testing.T) {
	d := events.Decision{
		Subject: events.AccountSubject(account),
		Meta:    events.Meta{Time: purgeAt, Actor: events.ActorTimekeeper, Request: "r"},
		Events:  []events.Recorded{{ID: "e", Event: events.UserRemoved{User: user}}},
	}
	m := messageOf(t, d)
	r, err := events.Decode(m)
	if want := (events.Record{Position: 42, Subject: d.Subject, Meta: d.Meta, Events: d.Events}); err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got %v\n%s\nwant\n%s", err, show(r), show(want))
	}
	for _, absent := range []string{"actorkey", "requestdigest", "requestscope", "sourceip", "dialect", "policyposition"} {
		if bytes.Contains(m.Data, []byte(absent)) {
			t.Errorf("the message says %q though there is none:\n%s", absent, m.Data)
		}
	}
}

// JSON that others wrote, or that passed through other hands, means the same.
func TestDecodeForeignJSON(t *testing.T) {
	d := decisionOf(events.KeyDescribed{Key: key, Description: "a \"quoted\" word, a \\ and ü"})
	m := messageOf(t, d)
	for name, rewrite := range map[string]func([]byte) []byte{
		"indented":  func(data []byte) []byte { return indented(t, data) },
		"reordered": func(data []byte) []byte { return reordered(t, data) },
		"escaped":   func(data []byte) []byte { return bytes.ReplaceAll(data, []byte("KLAK"), []byte(`\u004bLAK`)) },
		"extensions": func(data []byte) []byte {
			return bytes.Replace(data, []byte("[{"), []byte(`[{"traceparent":"00-1",`), 1)
		},
	} {
		foreign := m
		foreign.Data = rewrite(m.Data)
		got, err := events.Decode(foreign)
		want, _ := events.Decode(m)
		if err != nil || bytes.Equal(foreign.Data, m.Data) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v\n%s\nwant\n%s", name, err, show(got), show(want))
		}
	}
}

func indented(t *testing.T, data []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func reordered(t *testing.T, data []byte) []byte {
	var batch []map[string]any // written in the order of its keys
	if err := json.Unmarshal(data, &batch); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What this build cannot read whole is poisoned, with the position and the reason.
func TestDecodeRefuses(t *testing.T) {
	good := messageOf(t, decisionOf(events.KeyDisabled{Key: key, Reason: "rotation"}, events.KeyEnabled{Key: key}))
	for _, test := range []struct{ name, old, new, want string }{
		{"unknown type", "key.disabled.v1", "key.tagged.v1", `cannot be read: event 0: this build does not know the event type "dev.keyledger.key.tagged.v1": a newer keyledger probably wrote it`},
		{"newer version", "key.disabled.v1", "key.disabled.v2", `this build knows the event type "dev.keyledger.key.disabled.v2" only up to version 1: a newer keyledger probably wrote it`},
		{"version zero", "key.disabled.v1", "key.disabled.v0", "not a whole number from 1"},
		{"version spelt otherwise", "key.disabled.v1", "key.disabled.v01", "not a whole number from 1"},
		{"no version", "key.disabled.v1", "key.disabled", "want dev.keyledger.<name>.v<version>"},
		{"foreign type", "dev.keyledger.key.disabled.v1", "com.example.key.disabled.v1", "want dev.keyledger.<name>.v<version>"},
		{"unknown field", `"reason":"rotation"`, `"reason":"rotation","until":"tomorrow"`, `unknown field "until"`},
		{"wrong kind of field", `"reason":"rotation"`, `"reason":7`, "cannot unmarshal number"},
		{"other specversion", `"specversion":"1.0"`, `"specversion":"0.3"`, "event 0: the envelope does not belong to"},
		{"other account", "/accounts/123456789012/users", "/accounts/923456789012/users", "event 0: the envelope does not belong to"},
		{"other user", "users/234567890123456789", "users/934567890123456789", "event 0: the envelope does not belong to"},
		{"other key", `"subject":"` + string(key), `"subject":"KLAK99`, `event 0: the envelope is about "KLAK99`},
		{"bad time", "2026-03-01T12:30:45", "yesterday at noon, ", "cannot parse"},
		{"time beyond the calendar", "2026-03-01T12:30:45.123456789Z", "0000-01-01T00:00:00+09:00", "want a year of four digits"},
		{"bad policy position", `"policyposition":"17"`, `"policyposition":"-17"`, "policyposition"},
		{"cut short", `"reason":"rotation"`, `"reason`, "invalid character"},
		{"no data", `"data":{"access_key_id":"` + string(key) + `","reason":"rotation"}`, `"datax":0`, "EOF"},
	} {
		m := good
		m.Data = bytes.Replace(good.Data, []byte(test.old), []byte(test.new), 1)
		if bytes.Equal(m.Data, good.Data) {
			t.Errorf("%s: the message does not say %s", test.name, test.old)
		}
		poisoned(t, test.name, m, test.want)
	}
}

// The events of one message belong to one request and one subject.
func TestDecodeRefusesMixedBatch(t *testing.T) {
	one := decisionOf(events.KeyDisabled{Key: key})
	another := one
	another.Meta.Request = "another"
	m := messageOf(t, one)
	first, second := m.Data, messageOf(t, another).Data
	m.Data = append(append(bytes.TrimSuffix(first, []byte("]")), ','), bytes.TrimPrefix(second, []byte("["))...)
	poisoned(t, "two requests", m, "event 1: the envelope does not belong to")
}

func TestDecodeRefusesOtherMessages(t *testing.T) {
	good := messageOf(t, decisionOf(events.KeyEnabled{Key: key}))
	for name, test := range map[string]struct {
		change func(m *events.Message)
		want   string
	}{
		"subject of a stranger": {func(m *events.Message) { m.Subject = "used.1" }, "want ledger.<account>"},
		"another subject":       {func(m *events.Message) { m.Subject = "ledger.123456789012" }, "does not belong to ledger.123456789012"},
		"empty":                 {func(m *events.Message) { m.Data = nil }, "unexpected end"},
		"no events":             {func(m *events.Message) { m.Data = []byte("[]") }, "without events"},
		"null":                  {func(m *events.Message) { m.Data = []byte("null") }, "without events"},
		"one event, no batch":   {func(m *events.Message) { m.Data = good.Data[1 : len(good.Data)-1] }, "cannot unmarshal object"},
		"something after it":    {func(m *events.Message) { m.Data = append(bytes.Clone(good.Data), "[]"...) }, "after top-level value"},
	} {
		m := good
		test.change(&m)
		poisoned(t, name, m, test.want)
	}
}

func poisoned(t *testing.T, name string, m events.Message, want string) {
	t.Helper()
	r, err := events.Decode(m)
	var p *events.PoisonedError
	if !errors.As(err, &p) || p.Position != m.Position || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, %s\nwant poisoned at %d: ... %s", name, err, show(r), m.Position, want)
	}
}

// An Alien is an event that the catalog does not know. It can only be one by
// borrowing what seals the set.
type Alien struct{ events.KeyEnabled }

func (Alien) Kind() string { return "key.abducted" }

func TestEncodeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(d *events.Decision)
		want   string
	}{
		"no events":    {func(d *events.Decision) { d.Events = nil }, "without events"},
		"bad account":  {func(d *events.Decision) { d.Subject.Account = "12" }, "want 12 digits"},
		"bad user":     {func(d *events.Decision) { d.Subject.User = "012345678901234567" }, "first digit may not be 0"},
		"no request":   {func(d *events.Decision) { d.Meta.Request = "" }, "request ID: want 1 to 128 characters"},
		"alien":        {func(d *events.Decision) { d.Events[0].Event = Alien{} }, "key.abducted is not in the catalog"},
		"year 10000":   {func(d *events.Decision) { d.Events[0].Event = events.KeyDeleted{PurgeAt: time.Unix(1<<40, 0)} }, "year outside of range"},
		"broken JSON":  {func(d *events.Decision) { d.Events[0].Event = events.PolicyChanged{Overrides: json.RawMessage("{")} }, "unexpected end"},
		"spaced out":   {func(d *events.Decision) { d.Meta.Request = "a b" }, "printable ASCII without spaces"},
		"long request": {func(d *events.Decision) { d.Meta.Request = events.RequestID(strings.Repeat("r", 129)) }, "got 129"},
	} {
		d := decisionOf(events.KeyEnabled{Key: key})
		test.change(&d)
		if data, err := events.Encode(d); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %s, %v; want an error: ... %s", name, data, err, test.want)
		}
	}
}

// FuzzDecode: whatever lies in the log, Decode says what it is or that it cannot be
// read; and what it has read is written so that it reads the same.
func FuzzDecode(f *testing.F) {
	for _, sample := range samples {
		m := messageOf(f, decisionOf(sample.event))
		f.Add(m.Subject, m.Data)
	}
	f.Add("ledger.123456789012", []byte(`[{"specversion":"1.0"}]`))
	f.Add("ledger.123456789012.234567890123456789", []byte(`[]`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		r, err := events.Decode(events.Message{Position: 1, Subject: subject, Data: data})
		if err != nil {
			return
		}
		once, err := events.Encode(events.Decision{Subject: r.Subject, Meta: r.Meta, Events: r.Events})
		if err != nil {
			return // it names no request, which Encode asks for
		}
		again, err := events.Decode(events.Message{Position: 1, Subject: subject, Data: once})
		if err != nil {
			t.Fatalf("decodes, but not what is encoded of it: %v\n%s\n%s", err, data, once)
		}
		twice, err := events.Encode(events.Decision{Subject: again.Subject, Meta: again.Meta, Events: again.Events})
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%v\nonce  %s\ntwice %s", err, once, twice)
		}
	})
}
