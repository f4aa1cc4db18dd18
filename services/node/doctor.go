package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
)

// A Reporter is told what Doctor looks at.
type Reporter interface {
	Check(name string, err error) // a check came to its end; nil is well
	Progress(done, total uint64)  // of the check under way
}

// Doctor looks at the data of a ledger that is not running: that the directory, the
// unlock key and the log belong together, that the whole log can be read and
// follows on itself, that the projections follow the log, and that every secret opens. It
// changes nothing but what any start would. The error is every check's that
// failed.
func Doctor(ctx context.Context, c Config, r Reporter) error {
	n := &Node{config: c.filled(), done: make(chan struct{})}
	err := n.open(ctx, false)
	r.Check("start", err)
	if err == nil {
		err = n.examine(ctx, r)
	}
	return errors.Join(err, n.Close())
}

func (n *Node) examine(ctx context.Context, r Reporter) error {
	var errs []error
	check := func(name string, err error) {
		r.Check(name, err)
		errs = append(errs, err)
	}
	check("log", n.journal.Check(ctx, func(done, total events.Position) { r.Progress(uint64(done), uint64(total)) }))
	check("records", errors.Join(n.examineUses(ctx), n.recordsReadable(ctx)))
	check("projections", errors.Join(n.anyDegraded(ctx), n.store.Check(ctx)))
	check("secrets", n.secretsOpen(ctx))
	return errors.Join(errs...)
}

// anyDegraded says which projections have stopped, when all have come as far as
// they can.
func (n *Node) anyDegraded(ctx context.Context) error {
	last, err := n.journal.Last(ctx)
	if err != nil {
		return err
	}
	err = n.until(ctx, func(p projections.Status) bool { return p.Degraded != nil || p.Position >= last })
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range n.runner.Status() {
		if text := degraded(p); text != "" {
			errs = append(errs, fmt.Errorf("%s: %s", p.Name, text))
		}
	}
	return errors.Join(errs...)
}

// lookEvery is how often projections that nobody can wait for are looked at.
const lookEvery = 5 * time.Millisecond

// until waits until every projection is as it is wanted.
func (n *Node) until(ctx context.Context, wanted func(projections.Status) bool) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for !all(n.runner.Status(), wanted) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.done:
			return n.Err()
		case <-t.C:
		}
	}
	return nil
}

func all[T any](list []T, wanted func(T) bool) bool {
	for _, v := range list {
		if !wanted(v) {
			return false
		}
	}
	return true
}

func (n *Node) secretsOpen(ctx context.Context) error {
	report, err := n.vault.Check(ctx, n.views.Sealed())
	if err == nil && report.Failed > 0 {
		err = fmt.Errorf("%d of %d keys have no secret that opens, first %s", report.Failed, report.Keys, report.Failures[0].Key)
	}
	return err
}

// examineUses reads USED to its end, and says what of it and of SUMMARY is lost or cannot be
// read and no operator has let pass.
func (n *Node) examineUses(ctx context.Context) error {
	var errs []error
	for _, d := range n.journal.Unacknowledged() {
		lost := d.String()
		if d.Aside != "" { // or there was no block to keep
			lost += "; as it was found it is kept in " + d.Aside
		}
		errs = append(errs, fmt.Errorf("%s; where no backup has it, keyledger projection acknowledge %s --position %d lets it pass", lost, nameOf(d.Stream), d.From))
	}
	if damaged := n.journal.CheckFiles(ctx); len(damaged) > 0 { // what the server would make of them nobody knows
		for _, f := range damaged {
			errs = append(errs, f.Err)
		}
		return errors.Join(errs...)
	}
	last, err := n.journal.LastUse(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	first, err := n.journal.FirstUse(ctx)
	if err == nil {
		last, err = n.lastReadable(ctx, first, last)
	}
	if err != nil || first > last {
		return errors.Join(append(errs, err)...)
	}
	var batch []uses.Record
	for m, err := range n.journal.SalvageUses(ctx, first-1) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if batch, err = uses.Parse(batch[:0], m.Data); err != nil && !n.passed(m.Position) && len(errs) < maxNamed {
			errs = append(errs, fmt.Errorf("message %d of USED: %w", m.Position, err))
		}
		if m.Position >= last {
			break
		}
	}
	return errors.Join(append(errs, n.summariesReadable(ctx))...)
}

// maxNamed bounds how many messages are named that cannot be read.
const maxNamed = 64

// lastReadable is the last message of USED from first to last that is there, below first if there is none: who follows the log waits
// for one that is lost until another comes behind it.
func (n *Node) lastReadable(ctx context.Context, first, last uses.Position) (uses.Position, error) {
	for ; last >= first; last-- {
		if _, err := n.journal.UsesAt(ctx, last); !errors.Is(err, events.ErrNone) && !errors.Is(err, events.ErrLost) {
			return last, err
		}
	}
	return last, nil
}

// recordsReadable reads what is kept of access records.
func (n *Node) recordsReadable(ctx context.Context) error {
	if err := n.records.store.Check(ctx); err != nil {
		return fmt.Errorf("%w; remove %s, and they are read from the log again", err, filepath.Join(n.config.Data, recordsFolder))
	}
	return nil
}

// summariesReadable reads SUMMARY. What was lost of it is said already.
func (n *Node) summariesReadable(ctx context.Context) error {
	for page, err := range n.journal.SalvageSummaries(ctx) {
		if err == nil {
			_, err = access.ParseSummary(page)
		}
		if err != nil {
			return fmt.Errorf("a page of SUMMARY: %w", err)
		}
	}
	return ctx.Err()
}
