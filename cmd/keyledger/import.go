package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/schollz/progressbar/v3"
)

type keyImport struct {
	writing
	tenancy
	User        string `xor:"what" required:"" placeholder:"USER" help:"Whose key it is to be: the user's ID or name."`
	File        string `xor:"what" required:"" placeholder:"FILE" help:"Import every key of a file (- for standard input): user, access_key_id, secret_access_key, and perhaps description and status. Safe to run again: nothing is imported twice."`
	AccessKeyID string `name:"access-key-id" placeholder:"ID" help:"The key's ID elsewhere: 3 to 128 letters, digits, '-' or '_'."`
	SecretFile  string `name:"secret-file" placeholder:"FILE" help:"The file that holds the key's secret (- for standard input); asked for at the terminal if left out."`
	Description string `empty:"" placeholder:"TEXT" help:"At most 256 characters on one line."`
	Disabled    bool   `help:"Import it disabled."`
	Format      string `enum:",csv,jsonl" default:"" placeholder:"FORMAT" help:"csv or jsonl; by the file's name if left out."`
}

// Help says which flags go together.
func (*keyImport) Help() string {
	return `One key: --user, --access-key-id and its secret, which is never a word of the command line.
All keys of a file: --file.`
}

func (k *keyImport) Run(ctx context.Context, t *terminal, c *client) error {
	if k.File != "" {
		return k.all(ctx, t, c)
	}
	if k.AccessKeyID == "" || k.Format != "" {
		return usage("a single key needs --access-key-id and takes no --format")
	}
	user, err := c.userID(ctx, k.tenancy, k.User)
	if err != nil {
		return err
	}
	l := importLine{id: k.AccessKeyID, description: k.Description}
	if k.Disabled {
		l.status = "disabled"
	}
	if l.secret, err = k.secret(ctx, t); err != nil {
		return err
	}
	c.warnInTheClear(t)
	answer, err := k.write(ctx, c, l.call(k.tenancy, user))
	if err != nil {
		return err
	}
	return t.show(answer, keyDetails)
}

// secret is the key's secret, from a file, from standard input or from the person at the
// terminal. It is never on the command line, where others could read it.
func (k *keyImport) secret(ctx context.Context, t *terminal) (secret, error) {
	if k.SecretFile == "" && t.interactive {
		return t.askSecret(ctx, "Secret access key of "+visible(k.AccessKeyID)+": ")
	}
	path := k.SecretFile
	if path == "" {
		path = "-"
	}
	text, err := readSecretInput(t, path)
	if err != nil {
		return "", err
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return "", usage("the secret is empty; --secret-file names a file that holds it")
	}
	return secret(text), nil
}

// call is the request that imports the line's key for a user. Its ID is made of all that is
// asked for but the secret, so that the same line, sent again, is the same request; what it
// is made of can be guessed, and the log keeps it for ever.
func (l importLine) call(a tenancy, user string) call {
	body := given("access_key_id", l.id, "secret_access_key", l.secret.reveal(), "description", l.description, "status", l.status)
	asked, _ := json.Marshal([]string{a.Account, user, l.id, l.description, l.status}) // strings only
	sum := sha256.Sum256(asked)
	return call{
		method: http.MethodPost, path: userPath(user) + "/keys/import", query: a.query(), body: body,
		requestID: "import-" + hex.EncodeToString(sum[:]),
	}
}

// An importResult is what became of a line.
type importResult struct {
	Line        int    `json:"line"`
	User        string `json:"user,omitempty"`
	AccessKeyID string `json:"access_key_id,omitempty"`
	Result      string `json:"result"`
	Code        string `json:"code,omitempty"`
	Detail      string `json:"detail,omitempty"`
}

// What becomes of a line.
const (
	lineImported = "imported"
	lineThere    = "already_there"
	lineRefused  = "refused"
)

var importColumns = []column{
	{"LINE", "line"}, {"USER", "user"}, {"ACCESS KEY ID", "access_key_id"}, {"RESULT", "result"}, {"WHY", "detail"},
}

// An importer imports the lines of a file, one after the other.
type importer struct {
	*keyImport
	t       *terminal
	c       *client
	users   map[string]string // IDs by what the file calls them
	results []json.RawMessage
	counts  map[string]int
	bar     *progressbar.ProgressBar
}

// all imports a file. A line that is refused does not stop it; what would befall every
// other line too does. Either way, what was done is told, and may be done again.
func (k *keyImport) all(ctx context.Context, t *terminal, c *client) error {
	if k.AccessKeyID != "" || k.SecretFile != "" || k.Description != "" || k.Disabled || k.RequestID != "" {
		return usage("--file says all of each key, and names the requests; give it with --format and --account only")
	}
	lines, err := readImportFile(t, k.File, k.Format)
	if err != nil {
		return err
	}
	c.warnInTheClear(t)
	i := importer{keyImport: k, t: t, c: c, users: map[string]string{}, counts: map[string]int{}}
	if t.watched && !t.json {
		i.bar = progressBar(t, int64(len(lines)))
	}
	var stopped error
	for _, l := range lines {
		if stopped = i.one(ctx, l); stopped != nil {
			stopped = atLine(l, stopped)
			break
		}
	}
	return i.end(len(lines), stopped)
}

// atLine says at which line an import stopped, and what to do then.
func atLine(l importLine, err error) error {
	f := *failureOf(err)
	f.raw, f.Detail = nil, fmt.Sprintf("line %d: %s", l.line, f.Detail)
	f.advice = "run the same command again when it is put right: what was imported is not imported twice"
	return &f
}

// one imports a line's key and tells what became of it. The error is one that says
// nothing about the line.
func (i *importer) one(ctx context.Context, l importLine) error {
	r := importResult{Line: l.line, User: l.user, AccessKeyID: l.id}
	if l.wrong != "" {
		r.Result, r.Code, r.Detail = lineRefused, codeUsage, l.wrong
		return i.tell(r)
	}
	answer, err := i.send(ctx, l)
	var done struct {
		Repeated bool `json:"repeated"`
	}
	if err == nil {
		err = decode(answer, &done)
	}
	switch f := failureOf(err); {
	case err == nil && done.Repeated:
		r.Result = lineThere
	case err == nil:
		r.Result = lineImported
	case f.aboutTheLine():
		r.Result, r.Code, r.Detail = lineRefused, f.Code, f.Detail
	default:
		return f
	}
	return i.tell(r)
}

// aboutTheLine says that a failure is the server's answer to this line, or that there is no
// such user; whatever else fails would fail for the next line too.
func (f *failure) aboutTheLine() bool {
	switch f.Status {
	case 0:
		return f.exit == exitNotFound
	case http.StatusUnauthorized, http.StatusTooManyRequests:
		return false
	}
	return f.Status < http.StatusInternalServerError && f.exit != exitUnknown
}

func (i *importer) send(ctx context.Context, l importLine) (json.RawMessage, error) {
	user, known := i.users[l.user]
	if !known {
		var err error
		if user, err = i.c.userID(ctx, i.tenancy, l.user); err != nil {
			return nil, err
		}
		i.users[l.user] = user
	}
	return i.c.do(ctx, l.call(i.tenancy, user))
}

// tell writes a result for programs at once, and keeps it for people until the end.
func (i *importer) tell(r importResult) error {
	i.counts[r.Result]++
	if i.bar != nil {
		_ = i.bar.Add(1)
	}
	document, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if i.t.json {
		return i.t.writeLine(document)
	}
	i.results = append(i.results, document)
	return nil
}

// end tells people what was done, and is the failure if not all of it was.
func (i *importer) end(lines int, stopped error) error {
	if i.bar != nil {
		_ = i.bar.Finish()
	}
	if !i.t.json {
		if err := i.t.showTable(i.results, importColumns); err != nil {
			return err
		}
		i.t.hint("%d imported, %d already there, %d refused, of %d lines", i.counts[lineImported], i.counts[lineThere], i.counts[lineRefused], lines)
	}
	if stopped != nil {
		return stopped
	}
	if n := i.counts[lineRefused]; n > 0 {
		return fail(exitRefused, codeLinesRefused, "%d of %d lines were refused; put them right and run the same command again: what was imported is not imported twice", n, lines)
	}
	return nil
}
