package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

type recordCommands struct {
	List   recordList   `cmd:"" help:"List the requests that named a key, newest first."`
	Export recordExport `cmd:"" help:"Write the requests that named a key as CSV or JSON Lines, newest first."`
	Tail   recordTail   `cmd:"" help:"Print requests as they are recorded, until it is interrupted."`
}

var recordColumns = []column{
	{"TIME", "time"}, {"ACCESS KEY ID", "access_key_id"}, {"OUTCOME", "outcome"}, {"REASON", "reason"}, {"SERVICE", "service"},
	{"ACTION", "action"}, {"SOURCE IP", "source_ip"}, {"COUNT", "count"}, {"REQUEST", "request_id"},
}

// recordFilter says which records are wanted.
type recordFilter struct {
	tenancy
	Key     string    `placeholder:"KEY" help:"Only records of this access key."`
	Since   moment    `placeholder:"TIME" help:"Only records of this time or later: RFC 3339, or a day."`
	Until   moment    `placeholder:"TIME" help:"Only records before this time."`
	IP      ipAddress `name:"ip" placeholder:"ADDRESS" help:"Only records of this address."`
	Outcome string    `enum:",allowed,denied,uses,attempt,failed" default:"" placeholder:"OUTCOME" help:"Only allowed, denied (genuine and refused), uses (allowed and denied), attempt (not genuine), or failed (denied and attempt)."`
	Failed  bool      `help:"The same as --outcome failed."`
}

// An ipAddress is an argument that is an address.
type ipAddress struct{ netip.Addr }

// UnmarshalText reads it as kong has it.
func (a *ipAddress) UnmarshalText(text []byte) error {
	ip, err := netip.ParseAddr(string(text))
	if err != nil || ip.Zone() != "" {
		return fmt.Errorf("%q is not an address; want IPv4, e.g. 192.0.2.7, or IPv6, e.g. 2001:db8::7", text)
	}
	a.Addr = ip
	return nil
}

// Validate is kong's hook.
func (f recordFilter) Validate() error {
	if f.Failed && f.Outcome != "" {
		return errors.New("--failed and --outcome can't be used together")
	}
	return nil
}

// at is the path and the query of the records that are wanted.
func (f recordFilter) at() (path string, q url.Values) {
	q = url.Values{}
	set(q, "since", f.Since.text())
	set(q, "until", f.Until.text())
	if f.IP.IsValid() {
		q.Set("source_ip", f.IP.String())
	}
	set(q, "outcome", f.Outcome)
	if f.Failed {
		q.Set("outcome", "failed")
	}
	if f.Key != "" {
		return "/v1/keys/" + url.PathEscape(f.Key) + "/records", q
	}
	for name, values := range f.query() {
		q[name] = values
	}
	return "/v1/records", q
}

type recordList struct {
	paging
	recordFilter
}

func (r *recordList) Run(ctx context.Context, t *terminal, c *client) error {
	path, q := r.at()
	return r.list(ctx, t, c, path, q, recordColumns)
}

type recordTail struct {
	recordFilter
	Every time.Duration `default:"1s" help:"How often to look; 100ms or more."`
}

// Validate is kong's hook.
func (r recordTail) Validate() error {
	if r.Every < 100*time.Millisecond {
		return fmt.Errorf("--every %s will not do; want 100ms or more", r.Every)
	}
	return r.recordFilter.Validate()
}

// Run prints what is new, oldest first. A record may come in a little after one of
// a later time; so each look goes back some seconds, and what was printed is not again. While the server is away it waits
// for it, unless all that is wanted has happened.
func (r *recordTail) Run(ctx context.Context, t *terminal, c *client) error {
	if r.Since.IsZero() {
		r.Since.Time = time.Now()
		if !r.Until.IsZero() && !r.Until.After(r.Since.Time) {
			return usage("--until %s has passed, and without --since a tail begins now; give a --since before it", r.Until.text())
		}
	}
	seen := recordsSeen{records: map[string]time.Time{}, calls: map[string]time.Time{}}
	c.sent = func(id string) { seen.calls[id] = time.Now() }
	for {
		now := time.Now()
		path, q := r.at()
		all, err := paging{Limit: 0}.fetch(ctx, c, path, q)
		if ctx.Err() != nil {
			return nil // that is how it ends
		}
		over := !r.Until.IsZero() && now.After(r.Until.Add(tailOverlap))
		if err != nil && (over || failureOf(err).exit != exitUnreachable) {
			return err
		}
		if err != nil {
			t.notice("cut off: %v; going on from %s", failureOf(err).Detail, r.Since.text())
			if c.pause(ctx, r.Every) != nil {
				return nil
			}
			continue
		}
		slices.Reverse(all.Items)
		if err := r.print(t, all.Items, seen); err != nil {
			return err
		}
		if over {
			return nil
		}
		if back := now.Add(-tailOverlap); back.After(r.Since.Time) {
			r.Since.Time = back
			seen.forget(back)
		}
		if c.pause(ctx, r.Every) != nil {
			return nil
		}
	}
}

// tailOverlap is how far back a look at new records goes.
const tailOverlap = 30 * time.Second

// A recordsSeen is what need not be printed, with its time: records that were, and the looks themselves, which are on
// record, too.
type recordsSeen struct{ records, calls map[string]time.Time }

func (s recordsSeen) forget(before time.Time) {
	for _, m := range []map[string]time.Time{s.records, s.calls} {
		maps.DeleteFunc(m, func(_ string, at time.Time) bool { return at.Before(before) })
	}
}

// fresh says whether a record is to be printed.
func (s recordsSeen) fresh(record row) bool {
	id := record.text("id")
	_, printed := s.records[id]
	_, own := s.calls[record.text("request_id")]
	s.records[id], _ = time.Parse(time.RFC3339Nano, record.text("time"))
	return !printed && !own
}

func (r *recordTail) print(t *terminal, items []json.RawMessage, seen recordsSeen) error {
	for _, item := range items {
		record, err := parseRow(item)
		if err != nil {
			return err
		}
		if !seen.fresh(record) {
			continue
		}
		if t.json {
			err = t.writeLine(item)
		} else {
			err = t.write(recordLine(record))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recordLine is a record for people, as a line.
func recordLine(record row) []byte {
	var line []byte
	for i, c := range recordColumns {
		if i > 0 {
			line = append(line, ' ', ' ')
		}
		line = append(line, visible(cmp.Or(record.text(c.field), "-"))...)
	}
	return append(line, '\n')
}

type keyLastUsed struct {
	Keys []string `arg:"" name:"key" help:"The access key's ID; several are listed in the order given."`
}

var lastUsedColumns = []column{
	{"ACCESS KEY ID", "access_key_id"}, {"LAST USED", "last_used_at"}, {"SOURCE IP", "last_used.source_ip"}, {"SERVICE", "last_used.service"},
	{"ACTION", "last_used.action"}, {"REGION", "last_used.region"}, {"LAST REFUSED", "last_refused.time"}, {"WHY", "last_refused.reason"},
}

// Run shows one key by itself, and any more as a list.
func (k *keyLastUsed) Run(ctx context.Context, t *terminal, c *client) error {
	if len(k.Keys) > 1 {
		return k.list(ctx, t, c)
	}
	answer, err := c.read(ctx, "/v1/keys/"+url.PathEscape(k.Keys[0])+"/last-used", nil)
	if err != nil {
		return err
	}
	if err := t.show(answer, lastUsedColumns); err != nil {
		return err
	}
	var found struct {
		At         *time.Time `json:"last_used_at"`
		Incomplete bool       `json:"incomplete"`
	}
	switch err := decode(answer, &found); {
	case err == nil && found.Incomplete:
		t.hint("the log has lost uses of some keys: this one may have been used, or used later")
	case err == nil && found.At == nil:
		t.hint("it has never been used")
	}
	return nil
}

// maxLastUsed is how many keys the server answers for at once.
const maxLastUsed = 100

func (k *keyLastUsed) list(ctx context.Context, t *terminal, c *client) error {
	all := page{Items: []json.RawMessage{}}
	for keys := range slices.Chunk(k.Keys, maxLastUsed) {
		var some page
		if err := c.readInto(ctx, "/v1/last-used", url.Values{"access_key_id": {strings.Join(keys, ",")}}, &some); err != nil {
			return err
		}
		all.Items = append(all.Items, some.Items...)
	}
	return t.list(all, lastUsedColumns)
}

type reportCommands struct {
	Unused reportUnused `cmd:"" help:"List the keys that were not used for some days."`
}

type reportUnused struct {
	tenancy
	paging
	Days int `default:"90" help:"For how many days (${default} if left out)."`
}

func (r *reportUnused) Run(ctx context.Context, t *terminal, c *client) error {
	q := r.query()
	q.Set("days", strconv.Itoa(r.Days))
	return r.list(ctx, t, c, "/v1/reports/unused", q, []column{
		{"ACCESS KEY ID", "access_key_id"}, {"USER ID", "user_id"}, {"STATUS", "status"}, {"CREATED", "created_at"}, {"LAST USED", "last_used_at"},
	})
}
