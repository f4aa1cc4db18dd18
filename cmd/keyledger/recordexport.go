package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"

	"github.com/schollz/progressbar/v3"
)

type recordExport struct {
	recordFilter
	Format string `enum:"csv,jsonl" default:"jsonl" help:"csv or jsonl (${default} if left out)."`
	Cursor string `placeholder:"CURSOR" help:"Go on where an export was cut off, with the same filter: the cursor that it named. CSV then begins without its first line."`
}

// csvFields are the columns of an export, in their order; docs/command-line.md says what they are.
var csvFields = []string{
	"time", "access_key_id", "account_id", "user_id", "outcome", "reason", "scheme", "service", "action", "region", "source_ip",
	"user_agent", "request_id", "position", "count", "id",
}

// Run writes page by page, so that an export of any size takes no memory.
func (r *recordExport) Run(ctx context.Context, t *terminal, c *client) error {
	path, q := r.at()
	w := exporter{t: t, csv: r.Format == "csv"}
	cursor := r.Cursor
	err := w.begin(cursor == "")
	for err == nil {
		var p page
		if p, err = fetchPage(ctx, c, path, q, maxPage, cursor); err == nil {
			err = w.write(p.Items)
		}
		if err != nil {
			break
		}
		if cursor = p.NextCursor; cursor == "" {
			w.end()
			return nil
		}
	}
	w.cutOff(cursor)
	return err
}

// An exporter writes records, and shows how many where somebody watches.
type exporter struct {
	t       *terminal
	csv     bool
	written int  // records, in whole pages
	size    int  // of all that was written whole, in bytes
	torn    bool // part of what was not may stand behind that
	bar     *progressbar.ProgressBar
}

// begin writes what stands before the records, if they are the first.
func (e *exporter) begin(first bool) error {
	if e.t.watched {
		e.bar = progressBar(e.t, -1)
	}
	if !e.csv || !first {
		return nil
	}
	head, err := csvText([][]string{csvFields})
	if err != nil {
		return err
	}
	return e.put(head)
}

func (e *exporter) write(items []json.RawMessage) error {
	text := e.lines
	if e.csv {
		text = e.tableRows
	}
	page, err := text(items)
	if err == nil {
		err = e.put(page)
	}
	if err != nil {
		return err
	}
	e.written += len(items)
	if e.bar != nil {
		_ = e.bar.Set(e.written)
	}
	return nil
}

// put writes all of a text, or leaves it torn.
func (e *exporter) put(text []byte) error {
	if err := e.t.write(text); err != nil {
		e.torn = true
		return err
	}
	e.size += len(text)
	return nil
}

// lines are records as JSON Lines.
func (e *exporter) lines(items []json.RawMessage) ([]byte, error) {
	var text, line bytes.Buffer
	for _, item := range items {
		line.Reset()
		if err := json.Compact(&line, item); err != nil {
			return nil, err
		}
		text.Write(e.t.tameJSON(line.Bytes()))
		text.WriteByte('\n')
	}
	return text.Bytes(), nil
}

// tableRows are records as CSV.
func (e *exporter) tableRows(items []json.RawMessage) ([]byte, error) {
	rows := make([][]string, len(items))
	for i, item := range items {
		r, err := parseRow(item) // once, however many columns there are
		if err != nil {
			return nil, err
		}
		rows[i] = make([]string, len(csvFields))
		for j, name := range csvFields {
			rows[i][j] = e.t.tame(inert(r.text(name)))
		}
	}
	return csvText(rows)
}

func csvText(rows [][]string) ([]byte, error) {
	var text bytes.Buffer
	err := csv.NewWriter(&text).WriteAll(rows)
	return text.Bytes(), err
}

// cutOff says where to go on when no more can be had, or written: what was written before is whole pages.
func (e *exporter) cutOff(cursor string) {
	if e.bar != nil {
		_ = e.bar.Finish()
	}
	switch {
	case e.torn && cursor == "":
		e.t.warn("the export was cut off within its first page: throw away what was written; the same command begins anew")
	case e.torn:
		e.t.warn("the export was cut off after %d whole records (%d bytes): cut off what it wrote behind them, which may be part of a record; then the same command with --cursor %s goes on behind them", e.written, e.size, cursor)
	case e.written > 0:
		e.t.warn("the export was cut off after %d records; the same command with --cursor %s goes on behind them", e.written, cursor)
	}
}

func (e *exporter) end() {
	if e.bar != nil {
		_ = e.bar.Finish()
		e.t.hint("%d records", e.written)
	}
}
