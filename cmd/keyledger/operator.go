package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/node"
)

type statusCommand struct{}

func (s *statusCommand) Run(ctx context.Context, t *terminal, c *client) error {
	answer, err := c.read(ctx, "/v1/status", nil)
	if err != nil {
		return err
	}
	return t.showStatus(answer)
}

// showStatus writes the state of an installation.
func (t *terminal) showStatus(answer json.RawMessage) error {
	if err := t.show(answer, []column{
		{"READY", "ready"}, {"LAST POSITION", "last_position"}, {"CLOCK", "clock"}, {"LOG", "log"}, {"WRITES", "writes"}, {"SECRETS", "secrets"},
		{"RECORDS", "records.position"}, {"OF", "records.last"}, {"RECORDS STOPPED", "records.stopped"},
	}); err != nil || t.json {
		return err
	}
	var s struct {
		Projections []json.RawMessage `json:"projections"`
		Records     struct {
			Damage []json.RawMessage `json:"damage"`
		} `json:"records"`
	}
	if err := decode(answer, &s); err != nil {
		return err
	}
	if len(s.Records.Damage) > 0 {
		if err := t.showTable(s.Records.Damage, []column{
			{"DAMAGED", "name"}, {"STREAM", "stream"}, {"BLOCK", "block"}, {"LOST FROM", "from"}, {"THROUGH", "through"}, {"ACKNOWLEDGED", "acknowledged"},
		}); err != nil {
			return err
		}
	}
	return t.showTable(s.Projections, []column{
		{"PROJECTION", "name"}, {"POSITION", "position"}, {"CRITICAL", "critical"}, {"DEGRADED", "degraded"}, {"REBUILDING", "rebuilding"},
	})
}

type clockCommands struct {
	Confirm clockConfirm `cmd:"" help:"Confirm that the server's clock is right, so that purging goes on."`
}

type clockConfirm struct {
	writing
}

func (k *clockConfirm) Run(ctx context.Context, t *terminal, c *client) error {
	answer, err := k.write(ctx, c, call{method: http.MethodPost, path: "/v1/clock/confirm"})
	if err != nil {
		return err
	}
	return t.showStatus(answer)
}

type projectionCommands struct {
	Acknowledge projectionAcknowledge `cmd:"" help:"Let a projection pass a record that it could not apply."`
	Rebuild     projectionRebuild     `cmd:"" help:"Build a projection anew from the log."`
}

type projectionAcknowledge struct {
	writing
	asking
	dataFlags
	Offline  bool   `help:"Work on the data of a server that is stopped: it serves nobody while a projection that commands rest on has stopped. Needs the unlock key and no access key."`
	Name     string `arg:"" help:"The projection, as status names it; records and summary are what is lost of access records; with --offline, '*' is every one that stopped there."`
	Position uint64 `required:"" placeholder:"N" help:"Of the record, as status shows it."`
	Reason   string `required:"" placeholder:"TEXT" help:"Why it may be passed; at most 256 characters."`
}

func (p *projectionAcknowledge) Run(ctx context.Context, t *terminal, to *connection) error {
	if p.Offline {
		return p.runOffline(ctx, t)
	}
	c, err := to.client(t)
	if err != nil {
		return err
	}
	if err := p.confirm(ctx, t); err != nil {
		return err
	}
	answer, err := p.write(ctx, c, call{
		method: http.MethodPost, path: "/v1/projections/" + url.PathEscape(p.Name) + "/acknowledge",
		body: map[string]any{"position": p.Position, "reason": p.Reason},
	})
	if err != nil {
		return err
	}
	return t.showStatus(answer)
}

func (p *projectionAcknowledge) confirm(ctx context.Context, t *terminal) error {
	if p.Yes {
		return nil
	}
	return question{deed: "Let the projection " + p.Name + " pass a record for ever", how: confirmClick}.put(ctx, t)
}

func (p *projectionAcknowledge) runOffline(ctx context.Context, t *terminal) error {
	if err := p.confirm(ctx, t); err != nil {
		return err
	}
	err := node.Acknowledge(ctx, p.config(listenFlags{Listen: "127.0.0.1:0"}, t), p.Name, events.Position(p.Position), p.Reason)
	var refused *node.RefusedError
	var rule *aggregate.Refusal
	switch {
	case errors.As(err, &refused):
		return notStarted(err)
	case errors.As(err, &rule):
		return fail(exitRefused, rule.Rule, "%s", rule.Detail)
	case err != nil:
		return err
	}
	t.hint("%s may pass position %d: start the server again", p.Name, p.Position)
	return nil
}

type projectionRebuild struct {
	writing
	Name string `arg:"" help:"The projection, as status names it; records is access records, of which nothing is told meanwhile."`
}

// Run has a projection built anew and waits for it. Whoever stops waiting does
// not stop the rebuild.
func (p *projectionRebuild) Run(ctx context.Context, t *terminal, c *client) error {
	answer, err := p.write(ctx, c, call{method: http.MethodPost, path: "/v1/projections/" + url.PathEscape(p.Name) + "/rebuild"})
	if err != nil {
		return err
	}
	w := rebuildWatch{t: t, name: p.Name}
	for !w.done(answer) {
		if err := c.pause(ctx, rebuildLook); err != nil {
			return err
		}
		if answer, err = c.read(ctx, "/v1/status", nil); err != nil {
			return err
		}
	}
	if w.failed != "" {
		stays := ", the one in use stays"
		if p.Name == recordsName {
			stays = ""
		}
		return fail(exitRefused, "projection.rebuild_failed", "%s was not built anew%s: %s", p.Name, stays, w.failed)
	}
	return t.showStatus(answer)
}

// rebuildLook is how often a rebuild is looked at.
const rebuildLook = 200 * time.Millisecond

// A rebuildWatch follows a rebuild in the status, and shows how far it is where
// somebody watches.
type rebuildWatch struct {
	t      *terminal
	name   string
	bar    *progressbar.ProgressBar
	failed string
}

// recordsName is under which access records are built anew.
const recordsName = "records"

func (w *rebuildWatch) done(status json.RawMessage) bool {
	var s struct {
		Last        int64 `json:"last_position"`
		Projections []struct {
			Name          string `json:"name"`
			Rebuilding    bool   `json:"rebuilding"`
			RebuiltTo     int64  `json:"rebuilt_to"`
			RebuildFailed string `json:"rebuild_failed"`
		} `json:"projections"`
		Records struct {
			Position   int64  `json:"position"`
			Last       int64  `json:"last"`
			Rebuilding bool   `json:"rebuilding"`
			Stopped    string `json:"stopped"`
		} `json:"records"`
	}
	if json.Unmarshal(status, &s) != nil {
		return true
	}
	if w.name == recordsName {
		w.show(s.Records.Position, s.Records.Last)
		if s.Records.Rebuilding {
			return false
		}
		w.failed = s.Records.Stopped
	}
	for _, p := range s.Projections {
		if p.Name != w.name {
			continue
		}
		w.show(p.RebuiltTo, s.Last)
		w.failed = p.RebuildFailed
		if p.Rebuilding {
			return false
		}
	}
	if w.bar != nil {
		_ = w.bar.Finish()
	}
	return true
}

func (w *rebuildWatch) show(at, last int64) {
	if !w.t.watched || w.t.json {
		return
	}
	if w.bar == nil {
		w.bar = progressBar(w.t, last)
	}
	w.bar.ChangeMax64(max(last, at))
	_ = w.bar.Set64(at)
}
