package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
)

// telltales are what the bytes of a sealed secret look like in print.
var telltales = []string{"SECRET", "U0VDUkVU", "534543524554", "534543524554", "83 69 67", "0x53"}

func sealed() events.Sealed {
	return events.Sealed{Layout: 1, Version: 7, Epoch: 9, Ciphertext: []byte("SECRET"), WrappedKey: []byte("SECRET")}
}

// holders are the places where a sealed secret is found.
func holders() map[string]any {
	s := sealed()
	created := events.KeyCreated{Key: key, Sealed: s}
	return map[string]any{
		"itself":     s,
		"pointer":    &s,
		"event":      created,
		"pointed":    &created,
		"interface":  events.Event(created),
		"recorded":   events.Recorded{ID: "e", Event: created},
		"decision":   decisionOf(created),
		"slice":      []events.Sealed{s},
		"map":        map[string]events.Sealed{"a": s},
		"in a field": struct{ S *events.Sealed }{&s},
	}
}

func TestSealedPrintsNothing(t *testing.T) {
	for name, holder := range holders() {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t"} {
			closed(t, name+" "+verb, fmt.Sprintf(verb, holder))
		}
		closed(t, name+" Sprintln", fmt.Sprintln(holder))
		closed(t, name+" error", fmt.Errorf("holding %v", holder).Error())
		for handler, text := range logged(holder) {
			closed(t, name+" "+handler, text)
		}
		text, err := json.Marshal(holder)
		if err != nil {
			t.Errorf("%s: json: %v", name, err)
		}
		closed(t, name+" json", string(text))
	}
	s := sealed()
	for _, got := range []string{fmt.Sprint(s), s.String(), s.GoString(), s.LogValue().String()} {
		if got != "[sealed]" {
			t.Errorf("got %s", got)
		}
	}
}

func logged(holder any) map[string]string {
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "holder", holder)
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("m", "holder", holder)
	return map[string]string{"slog text": text.String(), "slog json": structured.String()}
}

func closed(t *testing.T, where, text string) {
	t.Helper()
	for _, telltale := range telltales {
		if strings.Contains(text, telltale) {
			t.Errorf("%s: shows %s:\n%s", where, telltale, text)
		}
	}
	pointer := strings.Contains(text, "0xc") // of a slice's or interface's inside; fmt does not follow it
	if !strings.Contains(text, "[sealed]") && !pointer {
		t.Errorf("%s: got %s, want [sealed] in it", where, text)
	}
}

// The codec writes it out, and gives it back.
func TestSealedIsKept(t *testing.T) {
	created := events.KeyCreated{Key: key, Cause: events.CauseRequested, Sealed: sealed()}
	m := messageOf(t, decisionOf(created))
	r, err := events.Decode(m)
	if err != nil || !reflect.DeepEqual(r.Events[0].Event, created) {
		t.Errorf("got %v %v, %v", err, r.Events, bytes.Contains(m.Data, []byte("U0VDUkVU")))
	}
}

func TestPublic(t *testing.T) {
	created := events.KeyCreated{Key: key, Description: "d", Cause: events.CauseRequested, Sealed: sealed()}
	want := created
	want.Sealed = events.Sealed{}
	if got := events.Public(created); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
	if got := events.Public(events.KeyEnabled{Key: key}); got != (events.KeyEnabled{Key: key}) {
		t.Errorf("got %#v", got)
	}
}

// The hash of a gateway token stays inside; all else of the event does not.
func TestPublicGatewayToken(t *testing.T) {
	created := events.GatewayTokenCreated{Token: token, Name: "edge", Account: account, Hash: tokenHash}
	d := decisionOf(created)
	text, err := events.EncodePublic(events.Record{Subject: d.Subject, Meta: d.Meta, Events: d.Events}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Data map[string]any }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"token_id": string(token), "name": "edge", "account_id": string(account)}; !reflect.DeepEqual(got.Data, want) {
		t.Errorf("got %v, want %v", got.Data, want)
	}
	if d.Events[0].Event != events.Event(created) {
		t.Errorf("publishing changed the event: %v", d.Events[0].Event)
	}
}

// What others are given is a CloudEvent that says all but the secret, not even
// that there is one.
func TestEncodePublic(t *testing.T) {
	d := decisionOf(events.KeyEnabled{Key: key}, events.KeyCreated{Key: key, Cause: events.CauseRequested, Sealed: sealed()})
	text, err := events.EncodePublic(events.Record{Subject: d.Subject, Meta: d.Meta, Events: d.Events}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"specversion": "1.0", "id": "01977e9a-5f3c-7d52-9b1e-3c2a1b0f9e01", "source": "/accounts/123456789012/users/234567890123456789",
		"type": "dev.keyledger.key.created.v1", "subject": string(key), "time": "2026-03-01T12:30:45.123456789Z", "datacontenttype": "application/json",
		"actor": "123456789012/234567890123456789", "actorkey": "KLAK0123456789ABCDEG", "requestid": "01977e9a-5f3c-7d52-9b1e-3c2a1b0f9e8d",
		"requestdigest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "requestscope": "123456789013",
		"sourceip": "192.0.2.17", "dialect": "aws", "policyposition": "17",
		"data": map[string]any{"access_key_id": string(key), "cause": "requested"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%v", text, want)
	}
}
