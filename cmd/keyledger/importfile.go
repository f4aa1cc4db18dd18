package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
)

// An importLine is one key of a file of keys to import.
type importLine struct {
	line                          int // in the file, from 1
	user, id, description, status string
	secret                        secret
	wrong                         string // why it cannot be sent; empty if it can. It quotes nothing of the line
}

// What a file of keys may say about each, and what it must.
var (
	importFields   = []string{"user", "access_key_id", "secret_access_key", "description", "status"}
	importRequired = importFields[:3]
)

func (l *importLine) set(field, value string) {
	switch field {
	case "user":
		l.user = value
	case "access_key_id":
		l.id = value
	case "secret_access_key":
		l.secret = secret(value)
	case "description":
		l.description = value
	case "status":
		l.status = value
	}
}

// check says what the line lacks.
func (l *importLine) check() {
	for i, value := range []string{l.user, l.id, l.secret.reveal()} {
		if value == "" && l.wrong == "" {
			l.wrong = importRequired[i] + " is missing"
		}
	}
}

// readImportFile reads the keys of a file, "-" for standard input. The format is csv or
// jsonl; empty: by the file's name. No error quotes what the file holds: it holds secrets.
func readImportFile(t *terminal, path, format string) ([]importLine, error) {
	if format == "" {
		format = formatOf(path)
	}
	if format == "" {
		return nil, usage("the file's name does not say what it is; give --format csv or --format jsonl")
	}
	text, err := readSecretInput(t, path)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if format == "csv" {
		return parseImportCSV(text)
	}
	return parseImportLines(text), nil
}

func formatOf(path string) string {
	switch {
	case strings.HasSuffix(path, ".csv"):
		return "csv"
	case strings.HasSuffix(path, ".jsonl"), strings.HasSuffix(path, ".ndjson"):
		return "jsonl"
	}
	return ""
}

// readSecretInput is a file that holds secrets, or standard input.
func readSecretInput(t *terminal, path string) ([]byte, error) {
	if path == "-" {
		text, err := io.ReadAll(t.in)
		if err != nil {
			return nil, usage("standard input cannot be read: %v", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("the file cannot be read: %v", err)
	}
	warnIfOpen(t, path)
	return text, nil
}

// parseImportCSV reads comma-separated values (RFC 4180) under a line of headings. A
// file that is not whole is refused as one: behind a quote that does not end no line is sure.
func parseImportCSV(text []byte) ([]importLine, error) {
	r := csv.NewReader(bytes.NewReader(text))
	heads, err := r.Read()
	if err != nil {
		return nil, usage("the file is not CSV with a line of headings: %s", csvFault(err))
	}
	fields, err := importHeadings(heads)
	if err != nil {
		return nil, err
	}
	var out []importLine
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, usage("the file is not whole, and nothing was imported: %s", csvFault(err))
		}
		l := importLine{}
		l.line, _ = r.FieldPos(0)
		for i, field := range fields {
			l.set(field, cells[i])
		}
		l.check()
		out = append(out, l)
	}
}

// csvFault is where a file is not CSV and why, without what stands there.
func csvFault(err error) string {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return (&csv.ParseError{StartLine: parse.StartLine, Line: parse.Line, Column: parse.Column, Err: parse.Err}).Error()
	}
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	return err.Error()
}

// importHeadings are the fields that a file's columns stand for. The headings may also be
// those that key create --csv and the consoles of other vendors write.
func importHeadings(heads []string) ([]string, error) {
	var fields []string
	for i, head := range heads {
		field := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(head)), " ", "_")
		if field == "user_name" || field == "user_id" {
			field = "user"
		}
		if !slices.Contains(importFields, field) || slices.Contains(fields, field) {
			return nil, usage("column %d of the first line is no heading, or one that stands there twice; want %s", i+1, strings.Join(importFields, ", "))
		}
		fields = append(fields, field)
	}
	for _, field := range importRequired {
		if !slices.Contains(fields, field) {
			return nil, usage("the first line has no heading %s; want %s, and perhaps description and status", field, strings.Join(importRequired, ", "))
		}
	}
	return fields, nil
}

// parseImportLines reads a JSON object on each line; empty lines are passed over.
func parseImportLines(text []byte) []importLine {
	var out []importLine
	lines := bufio.NewReader(bytes.NewReader(text))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, parseImportLine(n, line))
		}
		if err != nil {
			return out // there is no other error in memory than the end
		}
	}
}

func parseImportLine(n int, text []byte) importLine {
	l := importLine{line: n}
	var fields map[string]string
	if json.Unmarshal(text, &fields) != nil || fields == nil {
		l.wrong = "it is no JSON object of strings; want " + strings.Join(importRequired, ", ") + ", and perhaps description and status"
		return l
	}
	if repeats(text, len(fields)) {
		l.wrong = "it has a field twice; give each once"
		return l
	}
	for field, value := range fields {
		if !slices.Contains(importFields, field) {
			l.wrong = "it has a field that is none of " + strings.Join(importFields, ", ")
		}
		l.set(field, value)
	}
	l.check()
	return l
}

// repeats says whether a JSON object of strings, which has so many different fields, has one of them twice: the last would
// count, and nobody knows which was meant.
func repeats(text []byte, different int) bool {
	d, tokens := json.NewDecoder(bytes.NewReader(text)), 0
	for {
		if _, err := d.Token(); err != nil {
			return tokens != 2+2*different // the braces, and a name and a value of each
		}
		tokens++
	}
}
