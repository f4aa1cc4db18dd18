package keyring_test

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"

	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
)

// one of each.
var kept = keyring.State{
	Closed: true,
	Keys: []keyring.Key{
		{ID: "KLAK0123456789ABCDEF", Status: keyring.Active, Description: "ü"},
		{ID: "KLAK0123456789ABCDEG", Status: keyring.Disabled},
		{ID: "KLAK0123456789ABCDEH", Status: keyring.Deleted, PurgeAt: time.Date(2026, 3, 31, 12, 30, 45, 123456789, time.UTC), Binned: 300},
	},
}

// The bytes on disk, for as long as this layout is read.
const keptBytes = "01" + "01" + "03" +
	"00" + "14" + "4b4c414b30313233343536373839414243444546" + "02" + "c3bc" +
	"01" + "14" + "4b4c414b30313233343536373839414243444547" + "00" +
	"02" + "14" + "4b4c414b30313233343536373839414243444548" + "00" + "eaf9dd9c0d" + "959aef3a" + "ac02"

func TestStateOnDisk(t *testing.T) {
	if got := hex.EncodeToString(keyring.AppendState(nil, kept)); got != keptBytes {
		t.Errorf("got\n%s\nwant\n%s", got, keptBytes)
	}
	if got, err := keyring.ParseState(keyring.AppendState(nil, kept)); err != nil || !reflect.DeepEqual(got, kept) {
		t.Errorf("got %#v, %v", got, err)
	}
	if got := keyring.AppendState([]byte("before"), keyring.State{}); string(got) != "before\x01\x00\x00" {
		t.Errorf("got %q", got)
	}
	if got, err := keyring.ParseState([]byte("\x01\x00\x00")); err != nil || !reflect.DeepEqual(got, keyring.State{}) {
		t.Errorf("got %#v, %v", got, err)
	}
}

// networked is a state in which a key has a network policy of its own.
var networked = keyring.State{Keys: []keyring.Key{
	{ID: "A", Status: keyring.Active, Network: events.NetworkPolicy{Status: events.NetworkActive, Statements: []events.NetworkStatement{
		{Type: events.NetworkAddress, Addresses: []string{"192.0.2.0/24", "::1"}}, {Type: events.NetworkVPC, VPC: "any", Addresses: []string{"10.0.0.1"}},
	}}},
	{ID: "B", Status: keyring.Disabled},
}}

// The bytes on disk, for as long as this layout is read.
const networkedBytes = "\x02\x00\x02" +
	"\x00\x01A\x00" + "\x06active\x02" + "\x07address\x00\x02\x0c192.0.2.0/24\x03::1" + "\x03vpc\x03any\x01\x0810.0.0.1" +
	"\x01\x01B\x00" + "\x00\x00"

func TestNetworksOnDisk(t *testing.T) {
	if got := string(keyring.AppendState(nil, networked)); got != networkedBytes {
		t.Errorf("got\n%q\nwant\n%q", got, networkedBytes)
	}
	if got, err := keyring.ParseState([]byte(networkedBytes)); err != nil || !reflect.DeepEqual(got, networked) {
		t.Errorf("got %#v, %v", got, err)
	}
	for n := range networkedBytes {
		if s, err := keyring.ParseState([]byte(networkedBytes[:n])); err == nil {
			t.Errorf("the first %d of %d bytes: got %#v", n, len(networkedBytes), s)
		}
	}
	if s, err := keyring.ParseState([]byte("\x02\x00\x01\x00\x01A\x00\x00\x00")); err == nil {
		t.Errorf("no network in the layout with networks: got %#v", s)
	}
}

// restricted is a state in which a key is restricted; another has a network policy.
var restricted = keyring.State{Keys: []keyring.Key{
	{ID: "A", Status: keyring.Active, Restricted: true},
	{ID: "B", Status: keyring.Disabled, Network: events.NetworkPolicy{Status: events.NetworkInactive}},
}}

// The bytes on disk, for as long as this layout is read.
const restrictedBytes = "\x03\x00\x02" +
	"\x00\x01A\x00" + "\x00\x00" + "\x01" +
	"\x01\x01B\x00" + "\x08inactive\x00" + "\x00"

func TestRestrictionsOnDisk(t *testing.T) {
	if got := string(keyring.AppendState(nil, restricted)); got != restrictedBytes {
		t.Errorf("got\n%q\nwant\n%q", got, restrictedBytes)
	}
	if got, err := keyring.ParseState([]byte(restrictedBytes)); err != nil || !reflect.DeepEqual(got, restricted) {
		t.Errorf("got %#v, %v", got, err)
	}
	for n := range restrictedBytes {
		if s, err := keyring.ParseState([]byte(restrictedBytes[:n])); err == nil {
			t.Errorf("the first %d of %d bytes: got %#v", n, len(restrictedBytes), s)
		}
	}
	for name, data := range map[string]string{
		"nobody restricted":     "\x03\x00\x01\x00\x01A\x00\x00\x00\x00",
		"restricted twice over": "\x03\x00\x01\x00\x01A\x00\x00\x00\x02",
		"a layout beyond":       "\x04" + restrictedBytes[1:],
	} {
		if s, err := keyring.ParseState([]byte(data)); err == nil {
			t.Errorf("%s: got %#v", name, s)
		}
	}
}

// A state that was cut short anywhere, or is longer than it says, is refused.
func TestParseStateRefuses(t *testing.T) {
	whole := keyring.AppendState(nil, kept)
	for n := range whole {
		if s, err := keyring.ParseState(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes: got %#v", n, len(whole), s)
		}
	}
	for name, data := range map[string]string{
		"one byte more":      string(whole) + "\x00",
		"another layout":     "\x02\x00\x00",
		"closed twice":       "\x01\x02\x00",
		"unknown status":     "\x01\x00\x01\x03\x00\x00",
		"too many keys":      "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"a count beyond":     "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"a text too long":    "\x01\x00\x01\x00\xff\x01A\x00",
		"a long nanosecond":  "\x01\x00\x01\x02\x01A\x00\x00\x80\x94\xeb\xdc\x03\x01",
		"a key without time": "\x01\x00\x01\x02\x01A\x00",
	} {
		if s, err := keyring.ParseState([]byte(data)); err == nil {
			t.Errorf("%s: got %#v", name, s)
		}
	}
}

// A parsed state shares nothing with what it was parsed from: that is the store's.
func TestParseStateCopies(t *testing.T) {
	data := keyring.AppendState(nil, kept)
	s, err := keyring.ParseState(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !reflect.DeepEqual(s, kept) {
		t.Errorf("got %#v", s)
	}
}

// FuzzParseState: any bytes are a state or are refused; a state is written so that
// it reads the same.
func FuzzParseState(f *testing.F) {
	f.Add(keyring.AppendState(nil, kept))
	f.Add(keyring.AppendState(nil, networked))
	f.Add(keyring.AppendState(nil, restricted))
	f.Add(keyring.AppendState(nil, keyring.State{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := keyring.ParseState(data)
		if err != nil {
			return
		}
		again, err := keyring.ParseState(keyring.AppendState(nil, s))
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%v\n%#v\nwant\n%#v", err, again, s)
		}
	})
}

// two is what most users have: two keys and one in the bin.
var two = keyring.State{Keys: kept.Keys}

func BenchmarkAppendState(b *testing.B) {
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = keyring.AppendState(dst[:0], two)
	}
}

func BenchmarkParseState(b *testing.B) {
	data := keyring.AppendState(nil, two)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keyring.ParseState(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFold(b *testing.B) { // what a replayed event costs: parse, evolve, append
	data := keyring.AppendState(nil, two)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		s, err := keyring.ParseState(data)
		if err != nil {
			b.Fatal(err)
		}
		dst = keyring.AppendState(dst[:0], keyring.Evolve(s, disabledA))
	}
}

func BenchmarkDecide(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keyring.Decide(two, disableA, began); err != nil {
			b.Fatal(err)
		}
	}
}

var (
	disabledA events.Event    = events.KeyDisabled{Key: "KLAK0123456789ABCDEF", Reason: "rotation"}
	disableA  keyring.Command = keyring.Disable{Key: "KLAK0123456789ABCDEF", Reason: "rotation"}
)
