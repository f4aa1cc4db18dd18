package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
)

// TestCrashImport kills a server amid imports of files, again and again. The same file, given again, ends with each line
// imported exactly once, and says of each line what became of it.
func TestCrashImport(t *testing.T) {
	lines, kills := 30, 1
	if os.Getenv("KEYLEDGER_FAULT") != "" {
		lines, kills = 200, 8
	}
	v := newVictim(t, t.TempDir())
	c := v.operator()
	c.must(http.MethodPut, "/v1/accounts/"+c.key.AccountID+"/policy", `{"overrides":{"quota":{"max":50}}}`, &struct{}{})
	var files []*importFile
	for _, format := range []string{"csv", "jsonl"} {
		f := v.importFile(c, format, lines)
		files = append(files, f)
		for range kills {
			f.killed(1 + v.lots.IntN(lines-1))
		}
		f.finished()
	}
	for _, f := range files {
		f.signs()
	}
	v.stop()
	v.once(files)
	v.doctor()
}

// An importFile is a file of keys, and what was said of its lines.
type importFile struct {
	*victim
	path string
	keys []credentialsFile
	told map[string]bool // IDs of lines of which it was said that they are imported
}

// importFile writes a file of keys for users of its own, eight keys each.
func (v *victim) importFile(c caller, format string, lines int) *importFile {
	v.t.Helper()
	f := &importFile{victim: v, path: filepath.Join(v.dir, "keys."+format), told: map[string]bool{}}
	var text strings.Builder
	if format == "csv" {
		text.WriteString("user,access_key_id,secret_access_key,status\n")
	}
	for i := range lines {
		user := fmt.Sprintf("%s-%d", format, i/8)
		if i%8 == 0 {
			c.must(http.MethodPost, "/v1/users", fmt.Sprintf(`{"name":%q}`, user), &struct{}{})
		}
		k := credentialsFile{AccessKeyID: fmt.Sprintf("LTAI5t-%s-%d", format, i), SecretAccessKey: fmt.Sprintf("s3cr3t/%x+=", v.lots.Uint64())}
		f.keys = append(f.keys, k)
		if format == "csv" {
			fmt.Fprintf(&text, "%s,%s,%s,active\n", user, k.AccessKeyID, k.SecretAccessKey)
		} else {
			fmt.Fprintf(&text, `{"user":%q,"access_key_id":%q,"secret_access_key":%q}`+"\n", user, k.AccessKeyID, k.SecretAccessKey)
		}
	}
	if err := os.WriteFile(f.path, []byte(text.String()), 0o600); err != nil {
		v.t.Fatal(err)
	}
	return f
}

// run runs the import and has each result told to heard; it returns how many there were, how it ended and what it said.
func (f *importFile) run(heard func(n int)) (n int, code exitCode, said string) {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), f.binary, "key", "import", "--file", f.path, "-o", "json",
		"--endpoint", f.running.URL, "--credentials", f.data()+"-credentials.json")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	for results := bufio.NewScanner(out); results.Scan(); n++ {
		f.hear(results.Bytes())
		heard(n + 1)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	if strings.Contains(problem.String(), "s3cr3t") {
		f.t.Errorf("it says a secret: %s", &problem)
	}
	return n, exitCode(cmd.ProcessState.ExitCode()), problem.String()
}

// hear holds a result to those of before: a line is imported once, and there ever after.
func (f *importFile) hear(text []byte) {
	f.t.Helper()
	var r importResult
	if err := json.Unmarshal(text, &r); err != nil {
		f.t.Fatalf("%s: %v", text, err)
	}
	if r.Result != lineImported && r.Result != lineThere || r.Result == lineImported && f.told[r.AccessKeyID] {
		f.t.Errorf("after it was said that it is imported (%t): %s", f.told[r.AccessKeyID], text)
	}
	f.told[r.AccessKeyID] = true
}

// killed runs the import, kills the server when so many lines are done, and starts it again.
func (f *importFile) killed(after int) {
	f.t.Helper()
	n, code, said := f.run(func(n int) {
		if n == after {
			time.Sleep(time.Duration(f.lots.Int64N(int64(5 * time.Millisecond)))) // the moment of the crash
			f.kill()
		}
	})
	stopped := fmt.Sprintf(`"detail":"line %d: `, f.line(n))
	if n < len(f.keys) && (code != exitUnknown && code != exitUnreachable || !strings.Contains(said, stopped)) {
		f.t.Errorf("killed after %d of %d lines: got the exit code %d, %s", n, len(f.keys), code, said)
	}
	f.t.Logf("killed after %d of %d lines: exit code %d", n, len(f.keys), code)
	f.start()
}

// line is where in the file a key stands.
func (f *importFile) line(n int) int {
	if strings.HasSuffix(f.path, ".csv") {
		return n + 2 // under the headings
	}
	return n + 1
}

// finished runs the import to its end, and once more.
func (f *importFile) finished() {
	f.t.Helper()
	for range 2 {
		if n, code, said := f.run(func(int) {}); n != len(f.keys) || code != exitDone || said != "" {
			f.t.Fatalf("got %d of %d results, exit code %d, %s", n, len(f.keys), code, said)
		}
	}
	if len(f.told) != len(f.keys) {
		f.t.Errorf("%d of %d lines were told of", len(f.told), len(f.keys))
	}
}

// signs holds that each key signs with its own secret.
func (f *importFile) signs() {
	f.t.Helper()
	for _, k := range f.keys {
		var who struct {
			ID string `json:"access_key_id"`
		}
		if c := (caller{f.load, k}); !c.ask("/v1/caller", &who) || who.ID != k.AccessKeyID {
			f.t.Errorf("%s does not sign: got %+v", k.AccessKeyID, who)
		}
	}
}

// once holds that the log has reserved and created each key once, and that the projections hold what the log does.
func (v *victim) once(files []*importFile) {
	v.t.Helper()
	in := inspect(v.t, v.data())
	defer in.close()
	reserved, created := map[events.AccessKeyID]int{}, map[events.AccessKeyID]int{}
	for m, err := range in.journal.Read(v.t.Context(), 0) {
		if err != nil {
			v.t.Fatal(err)
		}
		r, err := events.Decode(m)
		if err != nil {
			v.t.Fatal(err)
		}
		for _, e := range r.Events {
			switch e := e.Event.(type) {
			case events.KeyReserved:
				reserved[e.Key]++
			case events.KeyCreated:
				created[e.Key]++
			}
		}
	}
	in.replays()
	in.finished()
	for _, f := range files {
		for _, k := range f.keys {
			if id := events.AccessKeyID(k.AccessKeyID); reserved[id] != 1 || created[id] != 1 {
				v.t.Errorf("%s was reserved %d times and created %d times, want once each", id, reserved[id], created[id])
			}
		}
	}
}
