package node

import (
	"context"
	"time"

	"github.com/keyledger/keyledger/events/access"
	known "github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/usage"
)

// AtStep has f told what a first start of this process has just made.
func AtStep(f func(made string)) { step = f }

// SpaceOf is when writes are turned off on a disk of so many bytes.
var SpaceOf = spaceOf

// AccessLog is where the node's access records go.
func (n *Node) AccessLog() access.Log { return n.journal }

// BeImpatient makes every stop of this process cut off who has not finished.
func BeImpatient(t interface{ Cleanup(func()) }) {
	was := shutdownPatience
	shutdownPatience = 100 * time.Millisecond
	t.Cleanup(func() { shutdownPatience = was })
}

// LoseLog takes the log away from a node that goes on.
func (n *Node) LoseLog() error { return n.journal.Close() }

// Flush has the projections on the disk in tables.
func (n *Node) Flush() error { return n.store.Flush() }

// Uses is through what access records go into the log.
func (n *Node) Uses() *usage.Recorder { return n.uses }

// Records is the store of access records.
func (n *Node) Records() *known.Store { return n.records.store }

// AwaitRecords returns when the store has applied what is in the log.
func (n *Node) AwaitRecords(ctx context.Context) error {
	last, err := n.journal.LastUse(ctx)
	if err != nil {
		return err
	}
	return n.records.wait(ctx, last)
}

// GoOn reports whether access records go on after an error before ctx ends.
func (n *Node) GoOn(ctx context.Context, err error) bool {
	return n.goOn(ctx, err, len(n.journal.Unacknowledged()))
}

// FollowAgainSoon has access records rest but for a moment after a fault.
func FollowAgainSoon(t interface{ Cleanup(func()) }) {
	was := followAgain
	followAgain = time.Millisecond
	t.Cleanup(func() { followAgain = was })
}

// ShareFiles is how a limit on open files is shared out: connections of the API, of Envoy and over NATS, and tables of each store.
func ShareFiles(limit uint64) (http, envoy, nats, store int, err error) {
	f, err := shareFiles(limit)
	return f.http, f.envoy, f.nats, f.store, err
}

// ShareMemory is how a soft limit on memory is shared out: caches of the stores, what a rebuild of keys gathers, and what is read ahead of access records.
func ShareMemory(limit int64) (keys, records, bulk, ahead int64) {
	m := shareMemory(limit)
	return m.keys.CacheBytes, m.records.CacheBytes, m.keys.BulkBytes, m.ahead
}

// BeganAt has the node find that the log reached a message of USED when it started.
func (n *Node) BeganAt(p uint64) { n.records.begun.Store(p) }

// LookOften has the nodes of this process notice at once who may read over NATS.
func LookOften(t interface{ Cleanup(func()) }) {
	was := usersEvery
	usersEvery = 10 * time.Millisecond
	t.Cleanup(func() { usersEvery = was })
}

// Writable reports whether the log takes ordinary decisions.
func (n *Node) Writable() bool { return n.journal.Health().Writable }

// SetReplayAtMost is for tests that have little to replay.
func SetReplayAtMost(bytes uint64) (restore func()) {
	was := replayAtMost
	replayAtMost = bytes
	return func() { replayAtMost = was }
}

// Unflushed is what a start would replay if the node were killed now.
func (n *Node) Unflushed() uint64 { return n.store.Unflushed() }
