package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/durable"
)

type eventCommands struct {
	Tail eventTail `cmd:"" help:"Print events and uses of keys as they happen, until it is interrupted."`
}

type eventTail struct {
	tenancy
	All        bool     `help:"Events of every account (operator)."`
	From       string   `default:"now" placeholder:"WHERE" help:"Where to begin: now (if left out), earliest, a time (RFC 3339) or a day of the last 92 days, a position of the log, or a cursor."`
	Until      moment   `placeholder:"TIME" help:"Only events before this time, RFC 3339 or a day; ends when all of them are printed."`
	Type       []string `placeholder:"TYPE" predictor:"types" help:"Only events of these types, e.g. key.used,key.created."`
	User       string   `placeholder:"USER" help:"Only events about this user and its keys, by ID or name."`
	Key        string   `placeholder:"KEY" help:"Only events about this access key."`
	Follow     bool     `negatable:"" default:"true" help:"Go on with what is still to come; --no-follow ends where the log ends now."`
	CursorFile string   `placeholder:"FILE" help:"Keep there where to go on, and go on from there when run again: nothing is left out, and what comes twice has the same id."`
}

var tailColumns = []column{
	{"TIME", "time"}, {"EVENT", "type"}, {"ABOUT", "subject"}, {"OUTCOME", "data.outcome"}, {"REASON", "data.reason"},
	{"SERVICE", "data.service"}, {"ACTION", "data.action"}, {"ACTOR", "actor"},
}

// Run prints what comes. It connects again whenever it is cut off, and goes on where
// it was.
func (e *eventTail) Run(ctx context.Context, t *terminal, c *client) error {
	q, err := e.wanted(ctx, c)
	if err != nil {
		return err
	}
	tail := tailing{eventTail: e, t: t, client: c, query: q}
	if err := tail.recall(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		read, err := tail.connect(ctx)
		if read {
			n = 1
		}
		switch {
		case ctx.Err() != nil:
			return tail.remember()
		case err == nil:
			return tail.remember()
		case !failureOf(err).Retryable || !e.Follow && (n >= maxAttempts || failureOf(err).Code == endUnreadable):
			return errors.Join(tail.blamed(err), tail.remember())
		}
		tail.tellCutOff(failureOf(err))
		if c.pause(ctx, backoff(min(n, 10), 0)) != nil {
			return tail.remember()
		}
	}
}

// tellCutOff says why nothing comes, and where it goes on. Where an operator has to do something before anything does, a
// program is told once for each place: otherwise that looks like a log in which nothing happens.
func (t *tailing) tellCutOff(f *failure) {
	at := t.query.Get("from")
	if !t.t.json || f.Code != endUnreadable {
		t.t.notice("cut off: %v; going on from %s", f.Detail, at)
		return
	}
	if at != t.stuck {
		t.stuck = at
		t.t.warn("%s: %s; waiting at %s", f.Code, f.Detail, at)
	}
}

// wanted is the query of what is asked for.
func (e *eventTail) wanted(ctx context.Context, c *client) (url.Values, error) {
	q := e.query()
	if e.All {
		if e.Account != "" {
			return nil, usage("--all and --account exclude each other")
		}
		q.Set("account_id", "all")
	}
	if err := c.setUser(ctx, q, e.tenancy, e.User); err != nil {
		return nil, err
	}
	set(q, "access_key_id", e.Key)
	set(q, "until", e.Until.text())
	set(q, "type", strings.Join(e.Type, ","))
	if !e.Follow {
		q.Set("follow", "false")
	}
	var day moment
	if _, err := time.Parse(time.DateOnly, e.From); err == nil && day.UnmarshalText([]byte(e.From)) == nil {
		e.From = day.text()
	}
	q.Set("from", e.From)
	return q, nil
}

// A tailing is on its way through the events.
type tailing struct {
	*eventTail
	t      *terminal
	client *client
	query  url.Values // its from is where to go on
	saved  time.Time  // when the cursor was last kept
	kept   string     // the cursor that was
	stuck  string     // where it was last told that what comes next cannot be read
}

// recall begins where an earlier run stopped.
func (t *tailing) recall() error {
	if t.CursorFile == "" {
		return nil
	}
	text, err := os.ReadFile(t.CursorFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage("the --cursor-file cannot be read: %v", err)
	}
	t.kept = strings.TrimSpace(string(text))
	if t.kept == "" || len(t.kept) > maxCursor || strings.ContainsFunc(t.kept, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return usage("%s holds no cursor; --cursor-file names a file that this command wrote, or one that is not there yet: then it begins at --from", t.CursorFile)
	}
	t.query.Set("from", t.kept)
	return nil
}

// maxCursor is more than the text of a cursor has.
const maxCursor = 128

// blamed is err, and where it is about the place that the cursor file holds, says so.
func (t *tailing) blamed(err error) error {
	f := *failureOf(err)
	if t.kept == "" || t.query.Get("from") != t.kept || !slices.Contains([]string{"cursor.invalid", "events.ahead", "events.expired", "events.replaced"}, f.Code) {
		return err
	}
	f.raw, f.Detail = nil, fmt.Sprintf("the place in %s (--cursor-file): %s", t.CursorFile, f.Detail)
	f.advice = "to begin anew, move that file away and say --from"
	return &f
}

// rememberEvery is how often the cursor is kept at most.
const rememberEvery = 200 * time.Millisecond

// remember keeps where to go on. What was printed after that comes again when the
// program is killed.
func (t *tailing) remember() error {
	from := t.query.Get("from")
	if t.CursorFile == "" || from == t.kept || from == t.From {
		return nil
	}
	if err := durable.WriteFile(t.CursorFile, []byte(from+"\n"), 0o600); err != nil {
		return fail(exitRefused, codeFile, "the cursor could not be kept: %v", err)
	}
	t.kept, t.saved = from, time.Now()
	return nil
}

// silence is how long nothing at all may come before the connection counts as
// dead: the server lets itself be heard every ten seconds.
const silence = 35 * time.Second

// maxLine bounds a line in bytes.
const maxLine = 4 << 20

// connect prints what comes over one connection. It says whether anything did. No error
// means that all there was has come.
func (t *tailing) connect(ctx context.Context) (read bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := time.AfterFunc(t.client.timeout, cancel)
	defer dead.Stop()
	res, err := t.client.open(ctx, call{method: http.MethodGet, path: "/v1/events", query: t.query}, "application/x-ndjson")
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLine)
	for {
		dead.Reset(silence)
		if !lines.Scan() {
			return read, t.lost(lines.Err())
		}
		read = true
		if done, err := t.line(lines.Bytes()); done || err != nil {
			return read, err
		}
	}
}

// wholeLine splits off a line that has its end. What is left of an answer that was cut in
// the middle of a line is none: the line comes again, whole, to whoever goes on.
func wholeLine(data []byte, _ bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	return 0, nil, nil
}

func (t *tailing) lost(err error) *failure {
	cause := "the server hung up"
	if err != nil {
		cause = err.Error()
	}
	f := fail(exitUnreachable, codeUnreachable, "%s", cause)
	f.Retryable = true
	return f
}

// An eventLine is a line as the server sends it.
type eventLine struct {
	Cursor string          `json:"cursor"`
	Event  json.RawMessage `json:"event"`
	End    *struct {
		Code      string `json:"code"`
		Detail    string `json:"detail"`
		Resumable bool   `json:"resumable"`
	} `json:"end"`
}

// How an answer ends that does not follow, and one whose reader may read no more.
const (
	endCaughtUp = "events.caught_up"
	endUntil    = "events.until"
	endDenied   = "events.denied"

	endUnreadable = "events.unreadable" // until an operator has done something
)

// line prints what a line says, and then keeps where to go on.
func (t *tailing) line(text []byte) (done bool, err error) {
	var l eventLine
	if err := decode(text, &l); err != nil {
		return false, err
	}
	if l.Event != nil {
		if err := t.print(text, l.Event); err != nil {
			return false, err
		}
	}
	t.query.Set("from", l.Cursor)
	if l.End != nil && (l.End.Code == endCaughtUp || l.End.Code == endUntil) {
		return true, nil
	}
	if l.End != nil {
		f := fail(exitRefused, l.End.Code, "%s", l.End.Detail)
		if l.End.Code == endDenied {
			f.exit = exitDenied
		}
		f.Retryable = l.End.Resumable
		return false, f
	}
	if l.Event == nil || time.Since(t.saved) > rememberEvery {
		return false, t.remember()
	}
	return false, nil
}

func (t *tailing) print(text, event []byte) error {
	if t.t.json {
		return t.t.writeLine(text)
	}
	r, err := parseRow(event)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i, c := range tailColumns {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(cmp.Or(r.cell(c.field), "-"))
	}
	return t.t.write([]byte(b.String() + "\n"))
}

// open sends a question once and returns the answer's head and its body to be read.
func (c *client) open(ctx context.Context, call call, accept string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, call.method, c.endpoint+call.target(), nil)
	if err != nil {
		return nil, err
	}
	c.sign(req, call, nil)
	req.Header.Set("Accept", accept)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, unreachable(c.endpoint, attempt{err: err})
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	body, _ := readAnswer(res.Body)
	f := refusalOf(res.StatusCode, c.endpoint, body)
	f.Retryable = f.Retryable || res.StatusCode >= 500
	return nil, f
}
