package node

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/extauthz"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/metrics"
	"github.com/keyledger/keyledger/services/usage"
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
		ScanRounds: health.Scan.Rounds, FileRounds: health.Scan.FileRounds,
		Records: metrics.Records{Position: s.Records.Position, Last: s.Records.Last, Stopped: s.Records.Stopped != "", Damaged: len(health.Damages)},
		Uses: metrics.Uses{
			Recorded: used.Recorded, Messages: used.Messages, Shed: used.Shed, Uncertain: used.Uncertain, Failed: used.Failed,
			Summarised: used.Summarised, Unknown: used.Unknown, Waiting: used.Waiting, Oldest: used.Oldest.Seconds(), Window: used.Window.Seconds(),
		},
	}
	if n.fresh != nil {
		out.Watermark = n.fresh.age()
	}
	if n.feed != nil {
		out.Readers.Count, out.Readers.Ledger, out.Readers.Used = n.feed.Lag(s.Last, s.Records.Last)
	}
	ages := map[uint64]time.Duration{} // most are at the same position
	for _, p := range s.Projections {
		if _, known := ages[p.Position]; !known && p.Position < s.Last {
			ages[p.Position] = n.since(n.timeOf(ctx, events.Position(p.Position)))
		}
		out.Projections = append(out.Projections, metrics.Projection{
			Name: p.Name, Position: p.Position, Degraded: p.Degraded != "", Behind: ages[p.Position],
		})
	}
	if s.Records.Position < s.Records.Last {
		out.Records.Behind = n.since(n.timeOfUse(ctx, uses.Position(s.Records.Position)))
	}
	return out
}

// timeOf is the time of the record behind p. If that cannot be read, it is that of the
// last before it: the age is then a bound. Zero if neither can.
func (n *Node) timeOf(ctx context.Context, p events.Position) time.Time {
	for _, at := range []events.Position{p + 1, p} {
		m, err := n.journal.At(ctx, at)
		if err != nil {
			continue
		}
		if rec, err := events.Decode(m); err == nil {
			return rec.Meta.Time
		}
	}
	return time.Time{}
}

// timeOfUse is the time of the first record in the message of USED behind p, likewise.
func (n *Node) timeOfUse(ctx context.Context, p uses.Position) time.Time {
	for _, at := range []uses.Position{p + 1, p} {
		m, err := n.journal.UsesAt(ctx, at)
		if err != nil {
			continue
		}
		if records, err := uses.Parse(nil, m.Data); err == nil && len(records) > 0 {
			return records[0].Time
		}
	}
	return time.Time{}
}

// since is how long ago t was; zero if it is not known, or yet to come.
func (n *Node) since(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, n.config.Now().Sub(t))
}

// knownBeforehand are the series that a node begins with. What a scheme finds malformed has reasons of that scheme's own,
// which come with the first such request.
func knownBeforehand(c Config) metrics.Known {
	k := metrics.Known{Decisions: map[string][]string{
		"allowed": {""},
		"denied": {
			verify.KeyDisabled, verify.KeyDeleted, verify.KeyRestricted, verify.SchemeNotAllowed, verify.SessionToken, verify.NetworkPolicy, verify.KeyLocked, verify.Forbidden,
		},
		"attempt": {
			verify.Unsigned, verify.UnknownKey, verify.KeyLocked, dialect.SignatureMismatch, dialect.RequestExpired, dialect.RequestNotYetValid, dialect.PresignedExpired, dialect.Replayed,
		},
		"failed": {"stale", "refilling", "crowded", "overloaded", "unavailable", "uncertain", verify.Forbidden, "abandoned", "fault"}, // as whyNone names them
	}}
	for _, end := range []feed.End{
		feed.EndCaughtUp, feed.EndUntil, feed.EndSlow, feed.EndStopping, feed.EndUnavailable, feed.EndExpired, feed.EndDenied, feed.EndUnreadable, {Code: feed.CodeCrowded},
	} {
		k.ReaderEnds = append(k.ReaderEnds, end.Code)
	}
	if c.ExtAuthzListen != "" {
		for code, statuses := range extauthz.Outcomes() {
			for _, status := range statuses {
				k.ExtAuthz = append(k.ExtAuthz, [2]string{code, httpStatus(status)})
			}
		}
	}
	return k
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

func (n *Node) observeExtAuthz(code string, status int, took time.Duration) {
	n.metrics.ExtAuthz(code, httpStatus(status), took)
}

// httpStatus is the one that Envoy was told, as a label; empty if it was told none.
func httpStatus(status int) string {
	if status == 0 {
		return ""
	}
	return strconv.Itoa(status)
}

func (n *Node) observeAppend(ctx context.Context, stream, result string, took time.Duration) {
	n.metrics.Append(stream, result, took)
	if n.tracer != nil {
		n.tracer.Step(ctx, "append "+stream, result, took)
	}
}

// resultOf is what a decision is counted as.
func resultOf(d verify.Decision, err error) string {
	switch {
	case err != nil:
		return "failed"
	case d.Allowed:
		return "allowed"
	case d.Genuine:
		return "denied"
	}
	return "attempt"
}

// whyNone names why there is no verdict.
func whyNone(err error) string {
	var off *events.UnavailableError
	var refused *api.Problem
	switch {
	case errors.Is(err, verify.ErrStale):
		return "stale"
	case errors.Is(err, verify.ErrRefilling):
		return "refilling"
	case errors.Is(err, verify.ErrCrowded):
		return "crowded"
	case errors.Is(err, usage.ErrOverloaded):
		return "overloaded"
	case errors.As(err, &off):
		return "unavailable"
	case errors.Is(err, events.ErrUncertain):
		return "uncertain"
	case errors.As(err, &refused):
		return verify.Forbidden // to ask about the key
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "abandoned"
	}
	return "fault"
}

// observeAnswer counts what was answered about a signed request.
func (n *Node) observeAnswer(d verify.Decision, err error) {
	reason := d.Reason
	if err != nil {
		reason = whyNone(err)
	}
	n.metrics.Decision(resultOf(d, err), reason)
}

// observeRevocations measures how long keys were not refused here that had been revoked
// by r.
func (n *Node) observeRevocations(r *events.Record) {
	for _, e := range r.Events {
		switch e.Event.(type) {
		case events.KeyDisabled, events.KeyDeleted, events.KeyPurged:
			n.metrics.Revocation(n.config.Now().Sub(r.Meta.Time))
		default: // revokes nothing
		}
	}
}

func (n *Node) observeVerdict(ctx context.Context, d verify.Decision, err error, took time.Duration) {
	scheme, result := d.Claim.Scheme, resultOf(d, err)
	if scheme == "" {
		scheme = "none"
	}
	n.metrics.Verdict(scheme, result, took)
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
