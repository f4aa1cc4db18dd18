package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/metrics"
)

const metricsHead = `# Metrics

Generated from ` + "`services/metrics` by `make docs`" + `; do not edit.

` + "`GET /metrics`" + ` answers in Prometheus' text format, on the same port as everything else and without a signature, as ` + "`/livez`" + ` does: it tells how much and
how well, never who. Keep it from strangers at the proxy if that is too much. No label holds a key, a user or an account. Times are in seconds, sizes in bytes; counters begin at zero
with the process. Where the values of a label are known beforehand, those of decisions, of readers' ends and of Envoy's calls are there at zero from the start, so that a rate sees the first of each; what a scheme
finds malformed has reasons of its own, which come with the first such request, as operations, statuses and schemes do. Beside these are Go's own (` + "`go_*`" + `) and the process' (` + "`process_*`" + `).
[grafana.json](grafana.json) is a dashboard to import. Lags in positions and messages count what a stream counts: one decision in LEDGER, up to 500 access records in USED.

| name | type | labels | meaning |
| --- | --- | --- | --- |
`

// TestGeneratedMetrics holds that docs/metrics.md says what a scrape does.
func TestGeneratedMetrics(t *testing.T) {
	var page bytes.Buffer
	page.WriteString(metricsHead)
	for _, m := range scraped(t) {
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help)
	}
	if *update {
		if err := os.WriteFile("metrics.md", page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, page.Bytes()) {
		t.Error("docs/metrics.md is not what a scrape says: run `make docs` and read the difference")
	}
}

type metric struct {
	name, kind, help string
	labels           []string
}

// scraped is what a node says of which everything has happened once.
func scraped(t *testing.T) (out []metric) {
	m := metrics.New("1.0", func() metrics.State {
		return metrics.State{Position: 1, Projections: []metrics.Projection{{Name: "keys", Position: 1}}}
	})
	m.Request("show-key", "200", time.Millisecond)
	m.Verdict("AWS4-HMAC-SHA256", "allowed", time.Millisecond)
	m.Decision("allowed", "")
	m.ExtAuthz("OK", "204", time.Millisecond)
	m.Revocation(time.Millisecond)
	m.ReaderEnd("events.slow_reader")
	m.Append("ledger", "written", time.Millisecond)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	label := regexp.MustCompile(`([a-z]+)="`)
	for line := range strings.Lines(w.Body.String()) {
		line = strings.TrimSpace(line)
		if help, ok := strings.CutPrefix(line, "# HELP keyledger_"); ok {
			name, text, _ := strings.Cut(help, " ")
			out = append(out, metric{name: "keyledger_" + name, help: text})
			continue
		}
		if len(out) == 0 || !strings.Contains(line, out[len(out)-1].name) {
			continue
		}
		last := &out[len(out)-1]
		if kind, ok := strings.CutPrefix(line, "# TYPE "+last.name+" "); ok {
			last.kind = kind
			continue
		}
		for _, found := range label.FindAllStringSubmatch(line, -1) {
			if name := "`" + found[1] + "`"; found[1] != "le" && !slices.Contains(last.labels, name) {
				last.labels = append(last.labels, name)
			}
		}
	}
	if len(out) < 20 {
		t.Fatalf("a scrape says %d things only:\n%s", len(out), w.Body)
	}
	return out
}

// offBoard are metrics that are for other questions than the dashboard's.
var offBoard = map[string]bool{
	"keyledger_log_position": true, "keyledger_projection_position": true, "keyledger_records_position": true, "keyledger_log_restarts_total": true,
	"keyledger_uses_messages_total": true,
}

// TestDashboard holds that the dashboard asks for nothing that there is not, and leaves
// nothing out but what is said above.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	known, ids := map[string]bool{}, map[int]bool{}
	for _, m := range scraped(t) {
		known[m.name] = true
		if m.kind == "histogram" {
			known[m.name+"_bucket"], known[m.name+"_count"], known[m.name+"_sum"] = true, true, true
		}
	}
	name := regexp.MustCompile(`keyledger_[a-z_]+`)
	asked := 0
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q has no title or the ID of another", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			for _, n := range name.FindAllString(target.Expr, -1) {
				if asked++; !known[n] {
					t.Errorf("panel %q asks for %s, which there is not", p.Title, n)
				}
			}
		}
	}
	if asked < 15 {
		t.Errorf("the dashboard asks for %d things only", asked)
	}
	for _, m := range scraped(t) {
		if !bytes.Contains(data, []byte(m.name)) && !offBoard[m.name] {
			t.Errorf("no panel shows %s", m.name)
		}
	}
}
