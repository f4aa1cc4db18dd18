package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/term"
)

// A terminal is what a command reads and writes, and whether people are there.
type terminal struct {
	in          *bufio.Reader
	out, err    io.Writer
	interactive bool // a person can answer: standard input is a terminal
	watched     bool // a person reads standard error
	shown       bool // a person reads standard output
	json        bool // answers are for programs
}

func newTerminal() *terminal {
	return &terminal{
		in: bufio.NewReader(os.Stdin), out: os.Stdout, err: os.Stderr,
		interactive: term.IsTerminal(int(os.Stdin.Fd())), watched: term.IsTerminal(int(os.Stderr.Fd())),
		shown: term.IsTerminal(int(os.Stdout.Fd())),
	}
}

// note writes a line to standard error.
func (t *terminal) note(format string, args ...any) {
	_, _ = fmt.Fprintf(t.err, format+"\n", args...)
}

// hint writes a line for people to standard error, if it is people who read.
func (t *terminal) hint(format string, args ...any) {
	if !t.json {
		t.note(format, args...)
	}
}

// warn writes a warning to standard error: a line for people, or a line of JSON
// where programs read.
func (t *terminal) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !t.json {
		t.note("keyledger: warning: %s", text)
		return
	}
	line, _ := json.Marshal(map[string]string{"warning": text}) // strings only
	t.noteJSON(line)
}

// notice writes what both should know who wait for an answer: to people as hint does, to programs as warn does.
func (t *terminal) notice(format string, args ...any) {
	if t.json {
		t.warn(format, args...)
		return
	}
	t.note(format, args...)
}

// noteJSON writes a document on one line to standard error.
func (t *terminal) noteJSON(document []byte) {
	var line bytes.Buffer
	if json.Compact(&line, document) != nil {
		line.Reset()
		line.Write(document)
	}
	line.WriteByte('\n')
	_, _ = t.err.Write(line.Bytes())
}

// write writes an answer. What cannot be written is a failure: an answer may
// hold a secret that is shown once.
func (t *terminal) write(text []byte) error {
	if _, err := t.out.Write(text); err != nil {
		return fail(exitRefused, codeFile, "the answer could not be written to standard output: %v", err)
	}
	return nil
}

// tame is a text on one line as a person may be shown it: a terminal would act on what others had put on record. In a
// file or a pipe it stays as it is.
func (t *terminal) tame(text string) string {
	if !t.shown {
		return text
	}
	return visible(text)
}

// tameJSON is the same of a document in JSON: what a terminal would act on is escaped, which means the same.
func (t *terminal) tameJSON(document []byte) []byte {
	if !t.shown {
		return document
	}
	var out bytes.Buffer
	for _, r := range string(document) {
		switch {
		case unicode.IsPrint(r) || r == '\n' || r == '\t' || r == '\r': // a control character within a string is escaped already
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.Bytes()
}

// writeLine writes a document in JSON as one line.
func (t *terminal) writeLine(document []byte) error {
	return t.write(append(bytes.TrimSpace(t.tameJSON(document)), '\n'))
}

// writeValue writes what v is in JSON.
func (t *terminal) writeValue(v any) error {
	document, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return t.writeJSON(document)
}

// writeJSON writes a document, indented.
func (t *terminal) writeJSON(document []byte) error {
	var text bytes.Buffer
	if err := json.Indent(&text, bytes.TrimSpace(document), "", "  "); err != nil {
		return fail(exitRefused, codeNoProblem, "the server's answer is not JSON: %v", err)
	}
	text.WriteByte('\n')
	return t.write(t.tameJSON(text.Bytes()))
}

// askSecret puts a question whose answer is not shown while it is typed.
func (t *terminal) askSecret(ctx context.Context, question string) (secret, error) {
	echoing, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		return "", fail(exitRefused, codeFailed, "the terminal cannot be asked: %v", err)
	}
	_, _ = fmt.Fprint(t.err, question)
	text, err := await(ctx, func() (string, error) {
		text, err := term.ReadPassword(int(os.Stdin.Fd()))
		return string(text), err
	})
	_, _ = fmt.Fprintln(t.err)
	if ctx.Err() != nil {
		_ = term.Restore(int(os.Stdin.Fd()), echoing)
		return "", ctx.Err()
	}
	if err != nil || text == "" {
		return "", fail(exitRefused, codeNotConfirmed, "there was no answer; nothing was done")
	}
	return secret(text), nil
}

// ask puts a question to the person at the terminal and returns the answer
// without the spaces around it.
func (t *terminal) ask(ctx context.Context, question string) (string, error) {
	_, _ = fmt.Fprint(t.err, question)
	line, err := await(ctx, func() (string, error) { return t.in.ReadString('\n') })
	if ctx.Err() != nil || line == "" {
		_, _ = fmt.Fprintln(t.err)
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil && line == "":
		return "", fail(exitRefused, codeNotConfirmed, "there was no answer; nothing was done")
	}
	return strings.TrimSpace(line), nil
}

// await is what read reads, or ctx's error: a read of the terminal does not end by a signal. It goes on until the
// program ends, which is soon.
func await(ctx context.Context, read func() (string, error)) (text string, err error) {
	done := make(chan struct{})
	var got string
	var failed error
	go func() {
		defer close(done)
		got, failed = read()
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-done:
		return got, failed
	}
}
