package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/journal"
)

// EveryProjection acknowledges a record for all projections that stopped at it.
const EveryProjection = "*"

// Acknowledge lets a projection pass the record at which it stopped, for whoever
// holds the unlock key. The ledger must not be running: it serves nobody while a
// projection that commands rest on has stopped, not even the operator who could let it
// go on. The leave is recorded in the operator's account under the actor of a
// recovery, so that a rebuild passes the record again. A projection that is not
// stopped at the position is a *aggregate.Refusal, and so is a reason that will not do.
func Acknowledge(ctx context.Context, c Config, projection string, p events.Position, reason string) error {
	n := &Node{config: c.filled(), done: make(chan struct{})}
	err := n.open(ctx, false)
	if err == nil {
		err = n.acknowledge(ctx, projection, p, reason)
	}
	return errors.Join(err, n.Close())
}

func (n *Node) acknowledge(ctx context.Context, projection string, p events.Position, reason string) error {
	through, lost, err := lostAt(n.journal, projection, p)
	names := []string{projection}
	if err == nil && !lost {
		names, err = n.stoppedAt(ctx, projection, p)
	}
	if err != nil {
		return err
	}
	var recorded []events.Event
	for _, name := range names {
		// What the rule asks of the account is known here without its projection.
		operator := account.State{ID: n.in.Operator, Opened: true, Operator: true}
		some, err := account.Decide(operator, account.Acknowledge{Projection: name, Position: p, Through: through, Reason: reason}, n.config.Now())
		if err != nil {
			return err
		}
		recorded = append(recorded, some...)
	}
	if err := n.record(ctx, recorded); err != nil {
		return err
	}
	return n.until(ctx, func(s projections.Status) bool { return !stops(s, projection, p) })
}

// lostAt is up to where messages are lost beside LEDGER from p on, under the name they are let pass by. What was let pass before
// is refused: there is nothing more to it.
func lostAt(log *journal.Journal, name string, p events.Position) (through events.Position, lost bool, err error) {
	for _, d := range log.Damages() {
		if nameOf(d.Stream) != name || d.From != p {
			continue
		}
		if log.Passed(d.Stream, d.From) {
			return 0, false, aggregate.Refuse(aggregate.Conflict, "acknowledge.not_stopped", "what was lost of %q from position %d on was let pass already: there is nothing left to acknowledge there", name, p)
		}
		return d.Through, true, nil
	}
	return 0, false, nil
}

// stoppedAt is the projections that stopped at p and that projection names.
func (n *Node) stoppedAt(ctx context.Context, projection string, p events.Position) ([]string, error) {
	if err := projectionNamed(n.runner, projection); err != nil && projection != EveryProjection {
		return nil, err
	}
	wrong := n.anyDegraded(ctx) // when it returns, all have come as far as they can
	var names []string
	for _, s := range n.runner.Status() {
		if stops(s, projection, p) {
			names = append(names, s.Name)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	if wrong == nil {
		return nil, aggregate.Refuse(aggregate.Conflict, "acknowledge.not_stopped", "no projection has stopped; there is nothing to acknowledge")
	}
	return nil, aggregate.Refuse(aggregate.Conflict, "acknowledge.not_stopped", "the projection %q has not stopped at position %d; what has stopped: %v", projection, p, wrong)
}

// projectionNamed refuses a name that nothing has by which a record could be let pass.
func projectionNamed(r *projections.Runner, name string) error {
	names := []string{recordsName, summaryName}
	for _, s := range r.Status() {
		names = append(names, s.Name)
	}
	if slices.Contains(names, name) {
		return nil
	}
	return aggregate.Refuse(aggregate.NotFound, "projection.not_found", "there is no projection %q; want one of %s", name, strings.Join(names, ", "))
}

func stops(s projections.Status, projection string, p events.Position) bool {
	named := projection == EveryProjection || projection == s.Name
	return named && s.Degraded != nil && s.Degraded.Position == p
}

// record appends facts to the operator's account by what the log itself says
// of it: the projections that would know may be the ones that have stopped.
func (n *Node) record(ctx context.Context, facts []events.Event) error {
	subject := events.AccountSubject(n.in.Operator)
	last, err := n.journal.LastOf(ctx, subject)
	if err != nil {
		return err
	}
	draw := identity.Source{Rand: n.config.Rand, Now: n.config.Now}
	d := events.Decision{Subject: subject, After: last.Position, Reserve: true, Meta: events.Meta{Time: n.config.Now().UTC(), Actor: events.ActorRecovery}}
	if d.Meta.Request, err = draw.RequestID(); err != nil {
		return err
	}
	for _, e := range facts {
		id, err := draw.EventID()
		if err != nil {
			return err
		}
		d.Events = append(d.Events, events.Recorded{ID: id, Event: e})
	}
	return n.append(ctx, d)
}

// recordPatience is how long an append that is uncertain is made again.
const recordPatience = 30 * time.Second

// append makes the same append until the log says what became of it.
func (n *Node) append(ctx context.Context, d events.Decision) error {
	ctx, cancel := context.WithTimeout(ctx, recordPatience)
	defer cancel()
	for {
		_, err := n.journal.Append(ctx, d)
		if !errors.Is(err, events.ErrUncertain) || ctx.Err() != nil {
			return err
		}
	}
}
