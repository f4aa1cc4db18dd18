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
	if err := w.begin(r.Cursor == ""); err != nil {
		return err
	}
	for cursor := r.Cursor; ; {
		p, err := fetchPage(ctx, c, path, q, maxPage, cursor)
		if err != nil {
			w.cutOff(cursor)
			return err
		}
		if err := w.write(p.Items); err != nil {
			return err
		}
		if cursor = p.NextCursor; cursor == "" {
			w.end()
			return nil
		}
	}
}

// An exporter writes records, and shows how many where somebody watches.
type exporter struct {
	t       *terminal
	csv     bool
	written int
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
	return e.rows([][]string{csvFields})
}

func (e *exporter) write(items []json.RawMessage) error {
	e.written += len(items)
	if e.bar != nil {
		_ = e.bar.Set(e.written)
	}
	if e.csv {
		return e.writeCSV(items)
	}
	var text, line bytes.Buffer
	for _, item := range items {
		line.Reset()
		if err := json.Compact(&line, item); err != nil {
			return err
		}
		text.Write(e.t.tameJSON(line.Bytes()))
		text.WriteByte('\n')
	}
	return e.t.write(text.Bytes())
}

func (e *exporter) writeCSV(items []json.RawMessage) error {
	rows := make([][]string, len(items))
	for i, item := range items {
		r, err := parseRow(item) // once, however many columns there are
		if err != nil {
			return err
		}
		rows[i] = make([]string, len(csvFields))
		for j, name := range csvFields {
			rows[i][j] = e.t.tame(inert(r.text(name)))
		}
	}
	return e.rows(rows)
}

func (e *exporter) rows(rows [][]string) error {
	var text bytes.Buffer
	if err := csv.NewWriter(&text).WriteAll(rows); err != nil {
		return err
	}
	return e.t.write(text.Bytes())
}

// cutOff says where to go on when no more can be had: what was written is whole pages.
func (e *exporter) cutOff(cursor string) {
	if e.bar != nil {
		_ = e.bar.Finish()
	}
	if e.written > 0 {
		e.t.warn("the export was cut off after %d records; the same command with --cursor %s goes on behind them", e.written, cursor)
	}
}

func (e *exporter) end() {
	if e.bar != nil {
		_ = e.bar.Finish()
		e.t.hint("%d records", e.written)
	}
}
