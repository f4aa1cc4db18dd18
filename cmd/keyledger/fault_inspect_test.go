package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/projtest"
	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/view"
)

// An inspection reads a copy of what a server left behind, so that the next
// start finds it as it was left.
type inspection struct {
	testing.TB
	dir      string
	journal  *journal.Journal
	requests map[events.RequestID]int // to how often each stands in the log
	keyrings map[events.Subject]keyring.State
	policies map[events.AccountID][]ruled
	roots    map[events.Subject]bool // of accounts; true once it has had a key
	removed  map[events.Subject]bool
	length   int
}

// A ruled is a policy and where it came into force.
type ruled struct {
	at     events.Position
	policy events.Policy
}

// inspect copies a data directory and opens the copy's log.
func inspect(t testing.TB, data string) *inspection {
	t.Helper()
	in := &inspection{
		TB: t, dir: filepath.Join(t.TempDir(), "copy"), requests: map[events.RequestID]int{}, keyrings: map[events.Subject]keyring.State{},
		policies: map[events.AccountID][]ruled{}, roots: map[events.Subject]bool{}, removed: map[events.Subject]bool{},
	}
	copyData(t, data, in.dir)
	var err error
	in.journal, err = journal.Open(t.Context(), journal.Config{
		Dir: filepath.Join(in.dir, "log"), Created: in.installation().Created,
		Space: journal.Space{Off: 4 << 20, Hard: 1 << 20, Ballast: 1 << 20}, Scan: journal.Scan{Rate: -1},
	})
	if err != nil {
		t.Fatalf("open what the server left: %v", err)
	}
	if err := in.journal.Check(t.Context(), nil); err != nil {
		t.Fatalf("the log is not whole: %v", err)
	}
	in.read()
	return in
}

func (in *inspection) close() {
	in.Helper()
	if err := in.journal.Close(); err != nil {
		in.Error(err)
	}
	_ = os.RemoveAll(in.dir)
}

type installed struct {
	ID      string    `json:"installation_id"`
	Created time.Time `json:"ledger_created"`
}

func (in *inspection) installation() (i installed) {
	in.Helper()
	text, err := os.ReadFile(filepath.Join(in.dir, "installation.json"))
	if err != nil {
		in.Fatal(err)
	}
	if err := json.Unmarshal(text, &i); err != nil {
		in.Fatal(err)
	}
	return i
}

// copyData copies a data directory without what takes up room and holds nothing.
func copyData(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || d.Name() == "ballast" || d.Name() == "kept" {
			return err
		}
		switch {
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case d.Type() == fs.ModeSymlink: // where batches are staged: in memory, and of one start only
			return nil
		}
		return copyFile(path, filepath.Join(to, rel))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// read folds the whole log and holds each decision to the quota of the policy
// that it was made under.
func (in *inspection) read() {
	in.Helper()
	for m, err := range in.journal.Read(in.Context(), 0) {
		if err != nil {
			in.Fatal(err)
		}
		r, err := events.Decode(m)
		if err != nil {
			in.Fatal(err)
		}
		in.length++
		in.requests[r.Meta.Request]++
		if r.Subject.User == "" {
			in.account(r)
		} else {
			in.keyring(r)
		}
	}
}

func (in *inspection) account(r events.Record) {
	for _, e := range r.Events {
		switch e := e.Event.(type) {
		case events.AccountOpened:
			in.policies[r.Subject.Account] = append(in.policies[r.Subject.Account], ruled{r.Position, e.Policy})
		case events.PolicyChanged:
			in.policies[r.Subject.Account] = append(in.policies[r.Subject.Account], ruled{r.Position, e.Policy})
		case events.UserAdded:
			if e.UserKind == events.KindRoot {
				in.roots[events.KeyringSubject(r.Subject.Account, e.User)] = false
			}
		case events.UserRemoved:
			in.removed[events.KeyringSubject(r.Subject.Account, e.User)] = true
		default:
		}
	}
}

func (in *inspection) keyring(r events.Record) {
	before := in.keyrings[r.Subject]
	after := before
	for _, e := range r.Events {
		after = keyring.Evolve(after, e.Event)
		if _, made := e.Event.(events.KeyCreated); made {
			if _, root := in.roots[r.Subject]; root {
				in.roots[r.Subject] = true
			}
		}
	}
	in.keyrings[r.Subject] = after
	if r.Meta.Policy == 0 {
		return
	}
	p := in.policyAt(r.Subject.Account, r.Meta.Policy)
	if was, is := counted(before, p), counted(after, p); is > was && is > p.Quota.Max {
		in.Errorf("position %d: %s has %d keys that count, and the quota was %d", r.Position, r.Subject, is, p.Quota.Max)
	}
}

// policyAt is the policy of an account as it was at a position.
func (in *inspection) policyAt(a events.AccountID, at events.Position) (p events.Policy) {
	for _, r := range in.policies[a] {
		if r.at <= at {
			p = r.policy
		}
	}
	return p
}

func counted(s keyring.State, p events.Policy) (n int) {
	for _, k := range s.Keys {
		if k.Status == keyring.Active || k.Status == keyring.Disabled && p.Quota.Counts == "active+disabled" {
			n++
		}
	}
	return n
}

// holds compares the log with the journal of the outside: what was acknowledged
// is there once, what was refused is not, and what nobody knows is there at most
// once. Nothing else is there but what the ledger itself does.
func (in *inspection) holds(known map[string]deed) {
	in.Helper()
	for id, d := range known {
		n := in.requests[events.RequestID(id)]
		switch {
		case n > 1:
			in.Errorf("operation %s stands %d times in the log", id, n)
		case d.state == acknowledged && d.always && n == 0:
			in.Errorf("operation %s was acknowledged and is not in the log", id)
		case d.state == declined && n > 0:
			in.Errorf("operation %s was refused and is in the log", id)
		}
	}
	for id, n := range in.requests {
		name, _, _ := strings.Cut(string(id), "#")
		_, ours := known[name]
		if !ours && !strings.HasPrefix(name, "first-start") {
			in.Errorf("nobody asked for what %q has recorded", id)
		}
		if n > 1 {
			in.Errorf("%q stands %d times in the log", id, n)
		}
	}
}

// finished wants nothing to be half done.
func (in *inspection) finished() {
	in.Helper()
	for s, hasKey := range in.roots {
		if !hasKey {
			in.Errorf("account %s was opened and its root user never had a key", s.Account)
		}
	}
	for s, k := range in.keyrings {
		if k.Closed && !in.removed[s] {
			in.Errorf("%s is closed and its user was not removed", s)
		}
	}
}

// replays compares the rows that the server left, brought to the end of the
// log, with those of a store that never crashed.
func (in *inspection) replays() {
	in.Helper()
	lived := in.rows(projections.Options{}, filepath.Join(in.dir, "projections"))
	fresh := in.rows(projections.Options{FS: vfs.NewMem()}, "fresh")
	if len(lived) == 0 {
		in.Error("the projections hold nothing")
	}
	projtest.Same(in, lived, fresh)
}

// rows is every row of a store, when all of the log is in it.
func (in *inspection) rows(o projections.Options, dir string) []string {
	in.Helper()
	store, err := projections.Open(dir, o)
	if err != nil {
		in.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			in.Error(err)
		}
	}()
	parts := view.Parts()
	for i := range parts {
		parts[i].Critical = true // so that all of them are waited for
	}
	runner, err := projections.NewRunner(in.Context(), projections.Config{
		Store: store, Source: in.journal, Parts: parts,
		Identity: in.installation().ID + " " + in.journal.Created().UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		in.Fatalf("the projections do not go with the log: %v", err)
	}
	ctx, stop := context.WithCancel(in.Context())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	defer func() { stop(); <-ended }()
	last, err := in.journal.Last(ctx)
	if err != nil {
		in.Fatal(err)
	}
	if err := runner.Wait(ctx, last); err != nil {
		in.Fatalf("the projections do not follow the log: %v", err)
	}
	return projtest.Dump(store, parts)
}

func (in *inspection) String() string {
	return fmt.Sprintf("%d decisions on %d keyrings of %d accounts", in.length, len(in.keyrings), len(in.policies))
}
