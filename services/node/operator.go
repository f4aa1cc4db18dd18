package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/journal"
)

// sourcesTold is how many sources of requests with unknown keys the status names.
const sourcesTold = 20

// operator is the node as its operator sees it through the API.
type operator Node

// Account is the operator's account.
func (o *operator) Account() events.AccountID { return o.in.Operator }

// ClockConfirmed makes the timekeeper go on, also after a restart.
func (o *operator) ClockConfirmed(ctx context.Context) error {
	o.guard.Confirm()
	_, err := o.guard.Check(ctx)
	return err
}

// Status is the state of every part.
func (o *operator) Status(ctx context.Context) api.Status {
	last, err := o.journal.Last(ctx)
	health := o.journal.Health()
	s := api.Status{Last: uint64(last), Clock: "trusted", Whole: health.Whole(), Log: "whole", Writes: "on"}
	if doubt := o.guard.Doubt(); doubt != "" {
		s.Clock = doubt
	}
	if !health.Writable {
		s.Writes = health.Reason
	}
	if !health.Whole() {
		s.Log = whatIsWrong(health)
	}
	if err != nil || health.Sick != "" {
		s.Log = "does not answer"
	}
	for _, p := range o.runner.Status() {
		s.Projections = append(s.Projections, api.Projection{
			Name: p.Name, Position: uint64(p.Position), Critical: p.Critical, Degraded: degraded(p),
			Rebuilding: p.Rebuilding, RebuiltTo: uint64(p.RebuiltTo), RebuildFailed: o.rebuilds.failure(p.Name),
		})
	}
	at, stopped := o.records.state()
	lastUse, _ := o.journal.LastUse(ctx) // what is wrong with the log is said above
	s.Records = api.RecordsStatus{Position: uint64(at), Last: uint64(lastUse), Rebuilding: o.records.rebuilding(), Damage: o.damage()}
	if stopped != nil {
		s.Records.Stopped = reason(stopped)
	}
	if lostUse(stopped) {
		s.Records.StoppedAt = uint64(at) + 1
	}
	s.Secrets = (*Node)(o).secrets.state()
	if o.uses != nil {
		for _, from := range o.uses.Strangers(sourcesTold) {
			s.Unknown = append(s.Unknown, api.Source{Prefix: from.Prefix.String(), Count: from.Count, More: from.More, Last: from.Last})
		}
	}
	s.Ready = err == nil && health.Writable && o.fresh.check(ctx) == nil && health.Sick == "" && health.Fault == nil
	return s
}

func degraded(p projections.Status) string {
	if p.Degraded == nil {
		return ""
	}
	return fmt.Sprintf("stopped at position %d: %s", p.Degraded.Position, p.Degraded.Reason)
}

func whatIsWrong(h journal.Health) string {
	switch {
	case h.Fault != nil:
		return h.Fault.Error()
	case len(h.Scan.Found) > 0:
		return h.Scan.Found[0].String()
	}
	if len(h.Scan.Blocks) > 0 {
		return h.Scan.Blocks[0].Err.Detail
	}
	if len(h.Damages) > 0 {
		return h.Damages[0].String()
	}
	return fmt.Sprintf("stream %s is damaged: restart the server, and the start says which messages are lost", h.Suspects[0])
}

// damage is what was lost beside LEDGER.
func (o *operator) damage() (all []api.Damage) {
	for _, d := range o.journal.Damages() {
		all = append(all, api.Damage{
			Name: nameOf(d.Stream), Stream: d.Stream, Block: d.Block, Offset: d.Offset, From: uint64(d.From), Through: uint64(d.Through),
			Reason: d.Why, Acknowledged: o.journal.Passed(d.Stream, d.From),
		})
	}
	return all
}

// Stopped is nil if a projection has stopped at a position, or something was lost there:
// only then may it be let pass the record there.
func (o *operator) Stopped(projection string, p events.Position) (through events.Position, err error) {
	for _, s := range o.runner.Status() {
		if s.Name == projection && stops(s, projection, p) {
			return 0, nil
		}
	}
	if through, lost, err := lostAt(o.journal, projection, p); lost || err != nil {
		return through, err
	}
	if at, stopped := o.records.state(); projection == recordsName && lostUse(stopped) && events.Position(at)+1 == p {
		return 0, o.stoppedAt(stopped, p)
	}
	if err := projectionNamed(o.runner, projection); err != nil {
		return 0, err
	}
	return 0, aggregate.Refuse(aggregate.Conflict, "acknowledge.not_stopped", "the projection %q has not stopped at position %d; the status shows which ones have", projection, p)
}

// stoppedAt is nil if access records stopped at a message that can be read and is no batch of them. Behind one that
// cannot be read others may be lost, or not: nobody knows before a start has said which.
func (o *operator) stoppedAt(stopped error, p events.Position) error {
	if errors.As(stopped, new(*access.PoisonedError)) {
		return nil
	}
	for _, d := range o.journal.Damages() {
		if d.Stream == journal.Used && d.From < p && p <= d.Through {
			return aggregate.Refuse(aggregate.Conflict, "acknowledge.not_first", "message %d is one of those that are lost from %d on: let pass what begins there", p, d.From)
		}
	}
	return aggregate.Refuse(aggregate.Conflict, "acknowledge.restart_first", "message %d cannot be read, and nobody knows yet which are lost behind it: restart the server, and the status says so", p)
}

// Rebuild begins to build a projection anew beside the one in use. One that is
// being built is left to it. Access records are built in place of those in use.
func (o *operator) Rebuild(projection string) error {
	if projection == recordsName {
		o.records.wantRebuild()
		return nil
	}
	named := func(p projections.Status) bool { return p.Name == projection }
	if !slices.ContainsFunc(o.runner.Status(), named) {
		return aggregate.Refuse(aggregate.NotFound, "projection.not_found", "there is no projection %q: the status names those there are; %s is access records", projection, recordsName)
	}
	finish, err := o.runner.StartRebuild(projection)
	if errors.Is(err, projections.ErrRebuilding) {
		return nil
	}
	if err != nil {
		return err
	}
	o.rebuilds.ended(projection, nil)
	o.tasks.Go(func() {
		err := finish(o.working)
		if err != nil && o.working.Err() == nil {
			o.config.Logger.Error("a rebuild came to nothing", "projection", projection, "error", err)
		}
		o.rebuilds.ended(projection, err)
	})
	return nil
}

// rebuilds is what came of the last rebuild of each projection.
type rebuilds struct {
	mu     sync.Mutex
	failed map[string]error
}

func (r *rebuilds) ended(projection string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = map[string]error{}
	}
	r.failed[projection] = err
}

func (r *rebuilds) failure(projection string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.failed[projection]; err != nil {
		return err.Error()
	}
	return ""
}
