package vector_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

var update = flag.Bool("update", false, "rewrite the reports; read the diff before keeping it")

func load(t *testing.T) []vector.Vector {
	t.Helper()
	f, err := os.Open("testdata/requests.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	vectors, err := vector.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

func TestReport(t *testing.T) {
	for name, explain := range map[string]bool{"report": false, "explained": true} {
		var got bytes.Buffer
		differing, err := vector.Report(&got, load(t), builtin.Schemes(), explain)
		if err != nil || differing != 2 {
			t.Errorf("got %d that differ, %v; want 2", differing, err)
		}
		file := "testdata/" + name + ".txt"
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("got:\n%s\nwant:\n%s", &got, want)
		}
		if secret := load(t)[0].Secret; strings.Contains(got.String(), secret) {
			t.Error("the report shows a secret")
		}
	}
}

// TestClientsOwnText holds what the client says that it signed to what the server
// would have signed.
func TestClientsOwnText(t *testing.T) {
	v := load(t)[0]
	ours := vector.Judge(v, builtin.Schemes())
	v.Secret += "x"
	explained := func(v vector.Vector) string {
		var got bytes.Buffer
		if _, err := vector.Report(&got, []vector.Vector{v}, builtin.Schemes(), true); err != nil {
			t.Fatal(err)
		}
		return got.String()
	}
	if got := explained(v); strings.Contains(got, "client") {
		t.Errorf("the client said nothing:\n%s", got)
	}
	v.ClientStringToSign, v.ClientCanonicalRequest = string(ours.StringToSign), string(ours.CanonicalRequest)
	if got := explained(v); strings.Count(got, "the client's is the same") != 2 {
		t.Errorf("the client signed the same:\n%s", got)
	}
	v.ClientCanonicalRequest = strings.Replace(v.ClientCanonicalRequest, "\n/", "\n//", 1)
	got := explained(v)
	for _, want := range []string{"the client's differs from line 2, column 2:\n", "client | //", "server | /", "\n                ^\n", "the client's is the same"} {
		if !strings.Contains(got, want) {
			t.Errorf("want %q:\n%s", want, got)
		}
	}
}

// TestWhatIsNotThereSaysWhy: a request that was refused while it was read has no text to show.
func TestWhatIsNotThereSaysWhy(t *testing.T) {
	v := load(t)[0]
	v.ClientStringToSign = "mine"
	v.Headers = slices.DeleteFunc(v.Headers, func(h []string) bool { return strings.EqualFold(h[0], "X-Amz-Date") })
	var got bytes.Buffer
	if _, err := vector.Report(&got, []vector.Vector{v}, builtin.Schemes(), true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"refused  missing_date: ", "    string to sign: none, the request was refused before: the request must have an X-Amz-Date header", "the client's can be compared with nothing"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("want %q:\n%s", want, &got)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestReportSaysWhenItCannotWrite(t *testing.T) {
	if _, err := vector.Report(full{}, load(t), builtin.Schemes(), false); err == nil {
		t.Error("got no error")
	}
}

func TestLoadRefuses(t *testing.T) {
	const head = `[{"name":"a","method":"GET","request_target":"/","verify_at":1`
	for text, want := range map[string]string{
		``:                      "JSON array",
		`{}`:                    "JSON array",
		`[] []`:                 "nothing behind it",
		`[{"body_base64":"!"}]`: "JSON array",
		`[]`:                    "there is none in it",
		`null`:                  "there is none in it",
		`[{}]`:                  "no name",
		`[{"name":"a"}]`:        "method and request_target",
		strings.Replace(head, `1`, `0`, 1) + `}]`: "verify_at",
		head + `,"headers":[["a"]]}]`:             "pair",
		head + `,"headers":[["a","b","c"]]}]`:     "pair",
	} {
		if _, err := vector.Load(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error about %s", text, err, want)
		}
	}
	if got, err := vector.Load(strings.NewReader(head + `,"vendor_error":"x"}]`)); err != nil || len(got) != 1 {
		t.Errorf("a field of a later day: got %v", err)
	}
}

func TestRequestHasAHost(t *testing.T) {
	v := vector.Vector{Host: "a.test", Headers: [][]string{{"Accept", "*/*"}, {"broken"}}}
	if got := v.Request().Get("host"); got != "a.test" {
		t.Errorf("got %q", got)
	}
	v.Headers = [][]string{{"host", "b.test"}}
	if got := v.Request().Values("Host"); len(got) != 1 || got[0] != "b.test" {
		t.Errorf("got %q", got)
	}
}
