package events_test

import (
	"bytes"
	"testing"

	"github.com/keyledger/keyledger/events"
)

var benchmarked = []struct {
	name  string
	event events.Event
}{
	{"created", events.KeyCreated{
		Key: key, Description: "deploy robot", Cause: events.CauseRequested,
		Sealed: events.Sealed{Layout: 1, Version: 1, Epoch: 3, Ciphertext: make([]byte, 80), WrappedKey: make([]byte, 72)},
	}},
	{"disabled", events.KeyDisabled{Key: key, Reason: "rotation"}},
	{"deleted", events.KeyDeleted{Key: key, PurgeAt: purgeAt}},
	{"user-added", events.UserAdded{User: user, Name: "alice", UserKind: events.KindUser, Role: events.RoleUser}},
}

func BenchmarkEncode(b *testing.B) {
	for _, bench := range benchmarked {
		b.Run(bench.name, func(b *testing.B) {
			d := decisionOf(bench.event)
			b.SetBytes(int64(len(messageOf(b, d).Data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := events.Encode(d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode reads what Encode writes, and the same with a space in front of
// it, which leaves it to encoding/json: the ratio of the two is what the quick way
// is worth.
func BenchmarkDecode(b *testing.B) {
	for _, bench := range benchmarked {
		m := messageOf(b, decisionOf(bench.event))
		b.Run(bench.name, func(b *testing.B) { decodeLoop(b, m) })
		m.Data = append([]byte(" "), bytes.ReplaceAll(m.Data, []byte(`"data":{`), []byte(`"data":{ `))...)
		b.Run(bench.name+"/encoding-json", func(b *testing.B) { decodeLoop(b, m) })
	}
}

func decodeLoop(b *testing.B, m events.Message) {
	b.SetBytes(int64(len(m.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := events.Decode(m); err != nil {
			b.Fatal(err)
		}
	}
}
