package dialecttest

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

var update = flag.Bool("update", false, "rewrite the transcripts; read the diff before keeping it")

// Transcripts are what a vendor's front answers, as files testdata/front/*.txt. Each is a request, a line of
// dashes, and the response. The request is signed by the test unless comments before it say otherwise:
//
//	# unsigned          leave it as it is
//	# key ID            sign as another key
//	# secret            sign with another secret
//	# later DURATION    receive it that much later
//	# then OLD => NEW   change it after signing
//
// Any other word is for the vendor's own Sign and Serve. A body is on one line.
type Transcripts struct {
	Front       dialect.Front
	Key, Secret string
	SignedAt    time.Time
	// Sign makes a request as a server receives it, and signs it.
	Sign func(t testing.TB, req *http.Request, body []byte, n Notes) *dialect.Request
	// Serve does what a server does with a request.
	Serve func(w http.ResponseWriter, r *dialect.Request, n Notes) dialect.Outcome
	// Failed says whether an answer is a refusal, where the status does not tell.
	Failed func(body string) bool
}

// Notes are what the comments of a transcript say.
type Notes struct {
	Key, Secret string            // to sign with
	Now         time.Time         // at which it is received
	Said        map[string]string // every word of the comments but "then", with what stands behind it

	changes [][2]string
}

// Has says whether a comment has the word.
func (n Notes) Has(word string) bool { _, said := n.Said[word]; return said }

// Run plays every transcript. With the flag -update it writes them anew.
func (x Transcripts) Run(t *testing.T) {
	files, err := filepath.Glob("testdata/front/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			request, want, _ := strings.Cut(string(text), "----\n")
			got := x.play(t, request)
			if *update {
				if err := os.WriteFile(file, []byte(request+"----\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// play is the answer to a request as it stands in a transcript.
func (x Transcripts) play(t *testing.T, text string) string {
	t.Helper()
	n, text := x.notes(t, text)
	head, body, _ := strings.Cut(text, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	head = strings.ReplaceAll(strings.TrimSuffix(head, "\n"), "\n", "\r\n") + "\r\n\r\n"
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		t.Fatal(err)
	}
	r := n.change(x.signed(t, req, []byte(body), n))
	if !x.Front.Recognise(r) {
		return "not recognised\n"
	}
	w := NewRecorder()
	outcome := x.Serve(w, r, n)
	w.Holds(t, outcome)
	if failed := x.failed(w); failed != (outcome.Code != "") {
		t.Errorf("the outcome is %+v, and the answer is a refusal: %t", outcome, failed)
	}
	dump, err := httputil.DumpResponse(w.Result(), true)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimRight(strings.ReplaceAll(string(dump), "\r\n", "\n"), "\n") + "\n"
}

func (x Transcripts) signed(t *testing.T, req *http.Request, body []byte, n Notes) *dialect.Request {
	t.Helper()
	if n.Has("unsigned") {
		return dialect.FromHTTP(req, body)
	}
	return x.Sign(t, req, body, n)
}

func (x Transcripts) failed(w *Recorder) bool {
	if x.Failed != nil {
		return x.Failed(w.Body.String())
	}
	return w.Code >= http.StatusMultipleChoices
}

// notes reads the comments before a request, and returns what is left of the text.
func (x Transcripts) notes(t *testing.T, text string) (Notes, string) {
	t.Helper()
	n := Notes{Key: x.Key, Secret: x.Secret, Now: x.SignedAt, Said: map[string]string{}}
	for strings.HasPrefix(text, "#") {
		note, rest, _ := strings.Cut(text, "\n")
		word, argument, _ := strings.Cut(strings.TrimPrefix(note, "# "), " ")
		text = rest
		switch word {
		case "then":
			old, anew, _ := strings.Cut(argument, " => ")
			n.changes = append(n.changes, [2]string{old, anew})
			continue
		case "key":
			n.Key = argument
		case "secret":
			n.Secret += "x"
		case "later":
			d, err := time.ParseDuration(argument)
			if err != nil {
				t.Fatal(err)
			}
			n.Now = n.Now.Add(d)
		}
		n.Said[word] = argument
	}
	return n, text
}

// change does what is to be done after signing.
func (n Notes) change(r *dialect.Request) *dialect.Request {
	for _, c := range n.changes {
		r.Target = strings.ReplaceAll(r.Target, c[0], c[1])
		r.Body = bytes.ReplaceAll(r.Body, []byte(c[0]), []byte(c[1]))
		for i := range r.Header {
			r.Header[i].Value = strings.ReplaceAll(r.Header[i].Value, c[0], c[1])
		}
	}
	return r
}

// A Recorder is a response that counts its writes: some clients fail where headers and body come apart.
type Recorder struct {
	*httptest.ResponseRecorder
	Writes int
}

// NewRecorder returns a Recorder of nothing yet.
func NewRecorder() *Recorder { return &Recorder{ResponseRecorder: httptest.NewRecorder()} }

// Write records one write.
func (w *Recorder) Write(b []byte) (int, error) { w.Writes++; return w.ResponseRecorder.Write(b) }

// Holds holds that the answer was written at once, is as long as it says, and is what the outcome says.
func (w *Recorder) Holds(t *testing.T, outcome dialect.Outcome) {
	t.Helper()
	writes, length := 1, fmt.Sprint(w.Body.Len())
	if w.Code == http.StatusNoContent {
		writes, length = 0, ""
	}
	if got := w.Result().Header.Get("Content-Length"); w.Writes != writes || got != length || outcome.Status != w.Code {
		t.Errorf("got status %d in %d writes, length %s of %d, outcome %+v", w.Code, w.Writes, got, w.Body.Len(), outcome)
	}
}
