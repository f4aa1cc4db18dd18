package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/keyledger/keyledger/events"
)

// A column is one thing that people are shown of a document: a heading and the
// path of the field, its names joined by dots.
type column struct{ head, field string }

// show writes a document: as it is for programs, for people the columns that
// it has, one a line.
func (t *terminal) show(document json.RawMessage, columns []column) error {
	if t.json {
		return t.writeJSON(document)
	}
	row, err := parseRow(document)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range columns {
		if text := row.cell(c.field); text != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", sentenceCase(c.head), text)
		}
	}
	_ = w.Flush() // into memory
	return t.write(b.Bytes())
}

// showTable writes documents for people, one a line under the headings.
func (t *terminal) showTable(documents []json.RawMessage, columns []column) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.head
	}
	_, _ = fmt.Fprintln(w, strings.Join(heads, "\t"))
	for _, d := range documents {
		row, err := parseRow(d)
		if err != nil {
			return err
		}
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = row.cell(c.field)
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush() // into memory
	return t.write(trimLines(b.Bytes()))
}

// trimLines removes the padding that tabwriter leaves behind an empty last cell.
func trimLines(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, l := range lines {
		lines[i] = bytes.TrimRight(l, " ")
	}
	return bytes.Join(lines, []byte("\n"))
}

// sentenceCase turns a heading into the beginning of a line: "USER ID" into
// "User ID".
func sentenceCase(head string) string {
	words := strings.Fields(head)
	for i, word := range words {
		switch {
		case word == "ID" || word == "IP":
		case i == 0:
			words[i] = word[:1] + strings.ToLower(word[1:])
		default:
			words[i] = strings.ToLower(word)
		}
	}
	return strings.Join(words, " ")
}

// A row is a JSON object of which cells are read.
type row map[string]any

func parseRow(document json.RawMessage) (row, error) {
	var r row
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	if err := d.Decode(&r); err != nil {
		return nil, fail(exitRefused, codeNoProblem, "the server's answer is not what was asked for: %v", err)
	}
	return r, nil
}

// text is a field as the server sent it, a string or a number; empty if it is not there.
func (r row) text(name string) string {
	switch v := r[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// cell is the field at a path as people read it; empty if it is not there.
func (r row) cell(path string) string {
	var value any = map[string]any(r)
	for _, name := range strings.Split(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return ""
		}
		value = object[name]
	}
	return cellText(value)
}

func cellText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return visible(readable(v))
	case []any:
		parts := make([]string, len(v))
		for i, part := range v {
			parts[i] = cellText(part)
		}
		return strings.Join(parts, " ")
	case map[string]any:
		text, _ := json.Marshal(v) // it was JSON
		return visible(string(text))
	}
	return fmt.Sprint(value)
}

// readable leaves the fractions of a second out of a time, and what all events
// have in common out of an event's type.
func readable(text string) string {
	if name, ok := strings.CutPrefix(text, events.TypePrefix); ok {
		return versionSuffix.ReplaceAllString(name, "")
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.UTC().Format(time.RFC3339)
}

var versionSuffix = regexp.MustCompile(`\.v[0-9]+$`)

// visible replaces what a terminal would act on, or not show.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
