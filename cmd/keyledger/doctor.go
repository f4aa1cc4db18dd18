package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/schollz/progressbar/v3"

	"github.com/keyledger/keyledger/services/node"
)

type doctorCommand struct{ dataFlags }

// Help says what is looked at.
func (*doctorCommand) Help() string {
	return `With --endpoint or --credentials on the command line a running server is asked how it is; that
needs no access key. KEYLEDGER_ENDPOINT and KEYLEDGER_CREDENTIALS alone do not make it so.`
}

// Run looks at data unless the command line names a server: what the environment names
// is there for other commands.
func (d *doctorCommand) Run(ctx context.Context, k *kong.Context, t *terminal, to *connection) error {
	data := onCommandLine(k, "data")
	switch {
	case data && onCommandLine(k, "endpoint"):
		return usage("--data and --endpoint exclude each other: look at the data of a stopped server, or ask a running one")
	case onCommandLine(k, "endpoint"), onCommandLine(k, "credentials") && !data:
		return to.examine(ctx, t)
	}
	e := &examination{t: t, Checks: []checked{}}
	err := node.Doctor(ctx, d.config(listenFlags{Listen: "127.0.0.1:0"}, t), e)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failed := e.finish(err == nil); failed != nil || err == nil {
		return failed
	}
	var refused *node.RefusedError
	if errors.As(err, &refused) {
		return notStarted(err)
	}
	return fail(exitNotStarted, "doctor.not_whole", "%v", err)
}

// An examination is what the doctor reports, as it goes for people and at the
// end for programs.
type examination struct {
	t      *terminal
	bar    *progressbar.ProgressBar
	Checks []checked `json:"checks"`
	Well   bool      `json:"well"`
}

type checked struct {
	Name   string `json:"name"`
	Well   bool   `json:"well"`
	Detail string `json:"detail,omitempty"`
}

// Check takes down what came of one check, unless it was interrupted: that says nothing of the data.
func (e *examination) Check(name string, err error) {
	e.end()
	if errors.Is(err, context.Canceled) {
		return
	}
	c := checked{Name: name, Well: err == nil}
	if err != nil {
		c.Detail = err.Error()
	}
	e.Checks = append(e.Checks, c)
	if e.t.json {
		return
	}
	line := "well   " + name + "\n"
	if err != nil {
		line = "WRONG  " + name + ": " + visible(strings.ReplaceAll(c.Detail, "\n", "; ")) + "\n"
	}
	_ = e.t.write([]byte(line))
}

// Progress shows how far the check under way has come, where somebody watches.
func (e *examination) Progress(done, total uint64) {
	if !e.t.watched || e.t.json {
		return
	}
	if e.bar == nil {
		e.bar = progressBar(e.t, int64(total))
	}
	_ = e.bar.Set64(int64(done))
}

// progressBar is a line that shows how far long work has come.
func progressBar(t *terminal, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetWriter(t.err),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
}

// finish writes what programs are told.
func (e *examination) finish(well bool) error {
	e.end()
	e.Well = well
	if !e.t.json {
		return nil
	}
	return e.t.writeValue(e)
}

func (e *examination) end() {
	if e.bar != nil {
		_ = e.bar.Finish()
		e.bar = nil
	}
}

// examine shows what a running server says of itself to anybody.
func (c connection) examine(ctx context.Context, t *terminal) error {
	endpoint, err := c.endpoint(t)
	if err != nil {
		return err
	}
	transport, err := c.transport()
	if err != nil {
		return err
	}
	asker := &http.Client{Transport: transport, CheckRedirect: stay, Timeout: c.Timeout}
	status, body, err := readiness(ctx, asker, endpoint)
	if err != nil {
		return unreachable(endpoint, attempt{err: err})
	}
	if !json.Valid(body) {
		return refusalOf(status, endpoint, nil)
	}
	if err := t.showStatus(body); err != nil {
		return err
	}
	var state health
	switch read := json.Unmarshal(body, &state); {
	case read == nil && !state.Whole:
		return fail(exitNotStarted, "server.log_damaged", "%s answers, but its log is not whole: see keyledger status and the page on operating", endpoint)
	case read == nil && len(state.stopped()) > 0:
		return fail(exitNotStarted, "server.projection_stopped", "%s answers, but this has stopped: %s", endpoint, strings.Join(state.stopped(), "; "))
	}
	if status != http.StatusOK {
		return fail(exitUnreachable, "server.not_ready", "%s answers and is not ready to serve", endpoint)
	}
	return nil
}

// readiness asks what needs no access key.
func readiness(ctx context.Context, asker *http.Client, endpoint string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/readyz", nil)
	if err != nil {
		return 0, nil, err
	}
	res, err := asker.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err = readAnswer(res.Body)
	return res.StatusCode, body, err
}

// A health is what a server's readiness says of its log and of what is made from it.
type health struct {
	Whole       bool `json:"whole"`
	Projections []struct {
		Name     string `json:"name"`
		Degraded string `json:"degraded"`
	} `json:"projections"`
	Records struct {
		Stopped string `json:"stopped"`
	} `json:"records"`
}

// stopped is what follows the log no more, and why.
func (h health) stopped() (all []string) {
	for _, p := range h.Projections {
		if p.Degraded != "" {
			all = append(all, p.Name+": "+p.Degraded)
		}
	}
	if h.Records.Stopped != "" {
		all = append(all, recordsName+": "+h.Records.Stopped)
	}
	return all
}
