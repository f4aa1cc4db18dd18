package node

import (
	"context"
	"fmt"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/journal"
)

// operator is the node as its operator sees it through the API.
type operator Node

// Account is the operator's account.
func (o *operator) Account() events.AccountID { return o.in.Operator }

// ClockConfirmed makes the timekeeper go on.
func (o *operator) ClockConfirmed() { o.guard.Confirm() }

// Status is the state of every part.
func (o *operator) Status(ctx context.Context) api.Status {
	last, err := o.journal.Last(ctx)
	s := api.Status{Last: uint64(last), Clock: "trusted", Log: "whole", Writes: "on"}
	if doubt := o.guard.Doubt(); doubt != "" {
		s.Clock = doubt
	}
	health := o.journal.Health()
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
		})
	}
	s.Secrets = (*Node)(o).secrets.state()
	s.Ready = err == nil && o.fresh.check(ctx) == nil && health.Sick == "" && health.Fault == nil
	return s
}

func degraded(p projections.Status) string {
	if p.Degraded == nil {
		return ""
	}
	return fmt.Sprintf("stopped at position %d: %s", p.Degraded.Position, p.Degraded.Reason)
}

func whatIsWrong(h journal.Health) string {
	if h.Fault != nil {
		return h.Fault.Error()
	}
	first := h.Scan.Found[0]
	return fmt.Sprintf("damaged at position %d: %v", first.Position, first.Err)
}

// Rebuild builds a projection anew beside the one in use.
func (o *operator) Rebuild(ctx context.Context, projection string) error {
	for _, p := range o.runner.Status() {
		if p.Name == projection {
			return o.runner.Rebuild(ctx, projection)
		}
	}
	return aggregate.Refuse(aggregate.NotFound, "projection.not_found", "there is no projection %q", projection)
}
