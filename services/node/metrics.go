package node

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/metrics"
	"github.com/keyledger/keyledger/services/verify"
)

// scrapePatience bounds what a scrape asks of the log.
const scrapePatience = 2 * time.Second

// metricsState is the node as a scrape sees it. A log that does not answer leaves its
// position out, and nothing else.
func (n *Node) metricsState() metrics.State {
	ctx, cancel := context.WithTimeout(n.working, scrapePatience)
	defer cancel()
	s := (*operator)(n).Status(ctx)
	health, used := n.journal.Health(), n.uses.Stats()
	out := metrics.State{
		Position: s.Last, Ready: s.Ready, Writable: health.Writable, Whole: health.Whole(), Trusted: n.guard.Doubt() == "",
		FreeBytes: health.Free, Restarts: health.Restarts, DamagedBlocks: len(health.Scan.Blocks),
		Records: metrics.Records{Position: s.Records.Position, Last: s.Records.Last, Stopped: s.Records.Stopped != "", Damaged: len(health.Damages)},
		Uses: metrics.Uses{
			Recorded: used.Recorded, Messages: used.Messages, Shed: used.Shed, Uncertain: used.Uncertain, Failed: used.Failed,
			Summarised: used.Summarised, Unknown: used.Unknown, Waiting: used.Waiting, Oldest: used.Oldest.Seconds(), Window: used.Window.Seconds(),
		},
	}
	for _, p := range s.Projections {
		out.Projections = append(out.Projections, metrics.Projection{Name: p.Name, Position: p.Position, Degraded: p.Degraded != ""})
	}
	return out
}

func (n *Node) observeRequest(r *http.Request) (context.Context, func(operation string, status int)) {
	began, ctx, traced := time.Now(), r.Context(), func(string, int) {}
	if n.tracer != nil {
		ctx, traced = n.tracer.Request(r)
	}
	return ctx, func(operation string, status int) {
		n.metrics.Request(operation, strconv.Itoa(status), time.Since(began))
		traced(operation, status)
	}
}

func (n *Node) observeAppend(ctx context.Context, stream, result string, took time.Duration) {
	n.metrics.Append(stream, result, took)
	if n.tracer != nil {
		n.tracer.Step(ctx, "append "+stream, result, took)
	}
}

func (n *Node) observeDecision(ctx context.Context, d verify.Decision, err error, took time.Duration) {
	scheme, result, reason := d.Claim.Scheme, "attempt", d.Reason
	switch {
	case errors.Is(err, verify.ErrStale):
		result, reason = "failed", "stale"
	case errors.Is(err, verify.ErrRefilling):
		result, reason = "failed", "refilling"
	case errors.Is(err, verify.ErrCrowded):
		result, reason = "failed", "crowded"
	case err != nil:
		result, reason = "failed", "fault"
	case d.Allowed:
		result = "allowed"
	case d.Genuine:
		result = "denied"
	}
	if scheme == "" {
		scheme = "none"
	}
	n.metrics.Decision(scheme, result, reason, took)
	if n.tracer != nil {
		n.tracer.Step(ctx, "verify", result, took)
	}
}

// measured is the log of decisions; a node that serves nobody observes nothing.
func (n *Node) measured() events.Log {
	if n.metrics == nil {
		return n.journal
	}
	return measuredLog{n.journal, n.observeAppend}
}

// A measuredLog is the log of decisions, whose appends are observed.
type measuredLog struct {
	events.Log
	observe func(ctx context.Context, stream, result string, took time.Duration)
}

func (l measuredLog) Append(ctx context.Context, d events.Decision) (events.Position, error) {
	began := time.Now()
	p, err := l.Log.Append(ctx, d)
	l.observe(ctx, "ledger", appended(err), time.Since(began))
	return p, err
}

// A measuredUses is the log of access records, likewise.
type measuredUses struct {
	uses.Log
	observe func(ctx context.Context, stream, result string, took time.Duration)
}

func (l measuredUses) AppendUses(ctx context.Context, id string, data []byte) (uses.Position, error) {
	began := time.Now()
	p, err := l.Log.AppendUses(ctx, id, data)
	l.observe(ctx, "used", appended(err), time.Since(began))
	return p, err
}

// appended names what became of an append.
func appended(err error) string {
	var conflict *events.ConflictError
	var off *events.UnavailableError
	switch {
	case err == nil:
		return "written"
	case errors.As(err, &conflict):
		return "conflict"
	case errors.As(err, &off):
		return "unavailable"
	case errors.Is(err, events.ErrUncertain):
		return "unknown"
	}
	return "failed"
}
