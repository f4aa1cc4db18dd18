// Package logtest holds every [events.Log] to its contract, and is a log in
// memory that fails on demand.
//
// The way in: [Run] is the contract as tests; [NewMemory] is the log; [Decision]
// makes something to append.
//
// The limits: Run writes some thousands of messages and expects an empty log for
// each of its tests. It tests what the contract says, not that a disk keeps it.
package logtest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
)

// Run holds the logs that open makes to the contract of [events.Log]. Every
// call of open makes an empty one and has it closed when its test ends.
func Run(t *testing.T, open func(t *testing.T) events.Log) {
	tests := []struct {
		name string
		run  func(t *testing.T, l events.Log)
	}{
		{"an empty log has nothing", testEmpty},
		{"positions are dense from one", testDense},
		{"what is read is what was written", testReadBack},
		{"an expectation is about its subject", testExpectation},
		{"a conflict carries the last position", testConflict},
		{"a position that is not the subject's conflicts", testMisplaced},
		{"a repeat returns its position", testRepeat},
		{"a repeat is recognised after later appends", testRepeatLater},
		{"repeats at once are written once", testRepeatAtOnce},
		{"another decision after the same message conflicts", testOther},
		{"an access key ID is reserved once, for its exact spelling", testReservation},
		{"of many who reserve an access key ID one does", testReservedOnce},
		{"a decision without events is not written", testMalformed},
		{"an append whose caller has left is settled by a repeat", testCancelled},
		{"read yields everything in order", testRead},
		{"read ends where the log ended", testReadEnds},
		{"follow goes on where read would end", testFollow},
		{"followers each see everything once", testFollowers},
		{"follow ends with its context", testFollowEnds},
		{"a reader may stop", testStop},
		{"many callers each get their own position", testMany},
		{"writers on few subjects neither lose nor double", testWriters},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

var serial atomic.Uint64

// Decision is a decision that nobody else has made: one event on s after a
// position of it. It is the same only as itself.
func Decision(s events.Subject, after events.Position) events.Decision {
	n := serial.Add(1)
	return events.Decision{
		Subject: s, After: after,
		Meta: events.Meta{
			Time:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n)),
			Actor:   events.UserActor("100000000001", "100000000000000001"),
			Request: events.RequestID(fmt.Sprintf("request-%d", n)),
		},
		Events: []events.Recorded{{
			ID:    events.EventID(fmt.Sprintf("01900000-0000-7000-8000-%012x", n)),
			Event: events.KeyDisabled{Key: "KLAK0000000000000001", Reason: fmt.Sprintf("reason %d", n)},
		}},
	}
}

// Keyring is the n-th of as many subjects as are wanted.
func Keyring(n int) events.Subject {
	return events.KeyringSubject("100000000001", events.UserID(fmt.Sprintf("1%017d", n)))
}
