package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// maxPage is the longest page the server gives.
const maxPage = 1000

// paging holds the flags of every command that lists.
type paging struct {
	Limit  int    `default:"100" help:"How many to list at most; 0 lists all."`
	Cursor string `placeholder:"CURSOR" help:"Go on after an earlier list: its next_cursor."`
}

// A page is a list as the server gives it and as it is printed for programs.
type page struct {
	Items      []json.RawMessage `json:"items"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

// list asks for as many pages as it takes and prints them as one list.
func (p paging) list(ctx context.Context, t *terminal, c *client, path string, query url.Values, columns []column) error {
	all, err := p.fetch(ctx, c, path, query)
	if err != nil {
		return err
	}
	return t.list(all, columns)
}

// list prints a list, as a table for people.
func (t *terminal) list(all page, columns []column) error {
	if t.json {
		return t.writeValue(all)
	}
	if err := t.showTable(all.Items, columns); err != nil {
		return err
	}
	if all.NextCursor != "" {
		t.hint("there is more: --cursor %s", all.NextCursor)
	}
	return nil
}

func (p paging) fetch(ctx context.Context, c *client, path string, query url.Values) (page, error) {
	all := page{Items: []json.RawMessage{}, NextCursor: p.Cursor}
	if p.Limit < 0 {
		return all, usage("--limit %d will not do; want a number from 0 (all) up", p.Limit)
	}
	for {
		size := maxPage
		if p.Limit > 0 {
			size = min(size, p.Limit-len(all.Items))
		}
		next, err := fetchPage(ctx, c, path, query, size, all.NextCursor)
		if err != nil {
			return all, err
		}
		all.Items = append(all.Items, next.Items...)
		all.NextCursor = next.NextCursor
		if next.NextCursor == "" || p.Limit > 0 && len(all.Items) >= p.Limit {
			return all, nil
		}
	}
}

func fetchPage(ctx context.Context, c *client, path string, query url.Values, size int, cursor string) (page, error) {
	q := url.Values{"limit": {strconv.Itoa(size)}}
	for name, values := range query {
		q[name] = values
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var p page
	err := c.readInto(ctx, path, q, &p)
	return p, err
}

// set adds to a query what is not empty.
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// A moment is a time on the command line: RFC 3339, or a day, which begins at
// midnight UTC.
type moment struct{ time.Time }

// UnmarshalText reads a moment.
func (m *moment) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		at, err := time.Parse(layout, string(text))
		if err == nil && at.IsZero() {
			break // would pass for none
		}
		if err == nil {
			m.Time = at
			return nil
		}
	}
	return fmt.Errorf("%q is not a time; want RFC 3339, e.g. 2026-01-31T12:00:00Z, or a day, e.g. 2026-01-31", text)
}

// text is the moment as the server reads it; empty if there is none.
func (m moment) text() string {
	if m.IsZero() {
		return ""
	}
	return m.UTC().Format(time.RFC3339Nano)
}
