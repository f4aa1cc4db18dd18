package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// sends answers with some text of which all goes out, and then cuts the connection.
func sends(text string) reply {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, text)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// TestTailAtWhatCannotBeRead is told that what comes next cannot be read: who does not follow ends with that, and who
// does is told once, and waits.
func TestTailAtWhatCannotBeRead(t *testing.T) {
	const stuck = `{"cursor":"1-1.0-7.0","end":{"code":"events.unreadable","detail":"what comes next cannot be read","resumable":true}}` + "\n"
	client, _ := against(t, sends(stuck))
	var out, told bytes.Buffer
	err := (&eventTail{From: "earliest"}).Run(t.Context(), &terminal{out: &out, err: &told, json: true}, client)
	if err == nil || failureOf(err).Code != "events.unreadable" || told.Len() > 0 {
		t.Errorf("without following: got %v, told %q", err, told.String())
	}
	client, _ = against(t, sends(stuck), sends(stuck), sends(`{"cursor":"1-1.0-7.0","end":{"code":"events.until"}}`+"\n"))
	err = (&eventTail{From: "earliest", Follow: true}).Run(t.Context(), &terminal{out: &out, err: &told, json: true}, client)
	if err != nil || strings.Count(told.String(), "events.unreadable: what comes next cannot be read; waiting at 1-1.0-7.0") != 1 {
		t.Errorf("following: got %v, told %q", err, told.String())
	}
}

// TestTailCutInMidLine cuts the connection behind every byte of an answer: the tail goes on from the last cursor
// that came whole, and prints every event once.
func TestTailCutInMidLine(t *testing.T) {
	lines := []string{`{"cursor":"1-1.0-1.0"}`, `{"cursor":"1-2.0-1.0","event":{"id":"a"}}`, `{"cursor":"1-3.0-1.0","event":{"id":"b"}}`, `{"cursor":"1-3.0-1.0","end":{"code":"events.caught_up"}}`}
	whole := strings.Join(lines, "\n") + "\n"
	for cut := range len(whole) {
		came := strings.Count(whole[:cut], "\n")
		from := ""
		client, _ := against(t, sends(whole[:cut]), func(w http.ResponseWriter, r *http.Request) {
			from = r.URL.Query().Get("from")
			_, _ = io.WriteString(w, strings.Join(lines[came:], "\n")+"\n")
		})
		var out, hints bytes.Buffer
		tail := eventTail{From: "earliest"}
		if err := tail.Run(t.Context(), &terminal{out: &out, err: &hints, json: true}, client); err != nil {
			t.Fatalf("cut behind byte %d: %v", cut, err)
		}
		if want := lines[1] + "\n" + lines[2] + "\n"; out.String() != want {
			t.Errorf("cut behind byte %d: got\n%swant\n%s", cut, &out, want)
		}
		if want := []string{"earliest", "1-1.0-1.0", "1-2.0-1.0", "1-3.0-1.0"}[came]; from != want {
			t.Errorf("cut behind byte %d: went on from %s, want %s", cut, from, want)
		}
	}
}
