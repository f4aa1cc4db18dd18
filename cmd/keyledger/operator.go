package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

type statusCommand struct{ connection }

func (s *statusCommand) Run(ctx context.Context, t *terminal) error {
	c, err := s.client(t)
	if err != nil {
		return err
	}
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
	}); err != nil || t.json {
		return err
	}
	var s struct {
		Projections []json.RawMessage `json:"projections"`
	}
	if err := decode(answer, &s); err != nil {
		return err
	}
	return t.showTable(s.Projections, []column{
		{"PROJECTION", "name"}, {"POSITION", "position"}, {"CRITICAL", "critical"}, {"DEGRADED", "degraded"},
	})
}

type clockCommands struct {
	Confirm clockConfirm `cmd:"" help:"Confirm that the server's clock is right, so that purging goes on."`
}

type clockConfirm struct {
	connection
	writing
}

func (k *clockConfirm) Run(ctx context.Context, t *terminal) error {
	c, err := k.client(t)
	if err != nil {
		return err
	}
	answer, err := k.write(ctx, c, call{method: http.MethodPost, path: "/v1/clock/confirm"})
	if err != nil {
		return err
	}
	return t.showStatus(answer)
}

type projectionCommands struct {
	Acknowledge projectionAcknowledge `cmd:"" help:"Let a projection pass a record that it could not apply."`
	Rebuild     projectionRebuild     `cmd:"" help:"Build a projection anew beside the one in use."`
}

type projectionAcknowledge struct {
	connection
	writing
	asking
	Name     string `arg:"" help:"The projection, as status names it."`
	Position uint64 `required:"" placeholder:"N" help:"Of the record, as status shows it."`
	Reason   string `required:"" help:"Why it may be passed; at most 256 characters."`
}

func (p *projectionAcknowledge) Run(ctx context.Context, t *terminal) error {
	c, err := p.client(t)
	if err != nil {
		return err
	}
	if !p.Yes {
		q := question{deed: "Let the projection " + p.Name + " pass a record for ever", how: confirmClick}
		if err := q.put(t); err != nil {
			return err
		}
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

// rebuildPatience is how long a projection may take to be built anew.
const rebuildPatience = 6 * time.Hour

type projectionRebuild struct {
	connection
	writing
	Name string `arg:"" help:"The projection, as status names it."`
}

func (p *projectionRebuild) Run(ctx context.Context, t *terminal) error {
	c, err := p.client(t)
	if err != nil {
		return err
	}
	c.timeout = max(c.timeout, rebuildPatience)
	if t.watched {
		t.hint("building %s anew; this can take minutes", p.Name)
	}
	answer, err := p.write(ctx, c, call{method: http.MethodPost, path: "/v1/projections/" + url.PathEscape(p.Name) + "/rebuild"})
	if err != nil {
		return err
	}
	return t.showStatus(answer)
}
