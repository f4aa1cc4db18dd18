package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the command itself: every script and test
// that runs "keyledger" runs it as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"keyledger": main, "empty-handler": emptyHandler})
}

// TestScripts runs the transcripts under testdata/script. Besides testscript's
// commands they have those of this table.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server":      serverInScript,
			"exits":       exitsInScript,
			"eventually":  eventuallyInScript,
			"field":       fieldInScript,
			"certificate": certificateInScript,
			"lossy":       lossyInScript,
			"substitute":  substituteInScript,
		},
		Setup: func(e *testscript.Env) error {
			vectors, err := filepath.Abs("../../services/dialect/vector/testdata/requests.json")
			e.Setenv("VECTORS", vectors)
			e.Values[serverOf{}] = new(*serverProcess)
			return err
		},
	})
}

type serverOf struct{}

// serverInScript is the command
//
//	server start [flags of serve]   starts a server; $ENDPOINT is its URL
//	server stop                     stops it as an operator does; server.out and server.err hold what it wrote
//	server kill                     stops it as a power cut does
func serverInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server start|stop|kill")
	}
	running := ts.Value(serverOf{}).(**serverProcess)
	switch args[0] {
	case "start":
		env := []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
		binary, err := exec.LookPath("keyledger")
		ts.Check(err)
		flags := append([]string{"--data", "data", "--listen", "127.0.0.1:0"}, args[1:]...)
		s, err := startServer(binary, ts.MkAbs("."), env, flags...)
		ts.Check(err)
		*running = s
		ts.Defer(s.kill)
		ts.Setenv("ENDPOINT", s.URL)
	case "stop":
		err := (*running).stop(syscall.SIGTERM)
		ts.Check(os.WriteFile(ts.MkAbs("server.out"), []byte((*running).Welcome), 0o600))
		ts.Check(os.WriteFile(ts.MkAbs("server.err"), (*running).log.Bytes(), 0o600))
		ts.Check(err)
	case "kill":
		(*running).kill()
	default:
		ts.Fatalf("usage: server start|stop|kill")
	}
}

// exitsInScript is the command
//
//	exits CODE program [args]   runs the program, which must end with the exit code
func exitsInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program [args]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("got exit code %d, want %d", got, want)
	}
}

// eventuallyInScript is the command
//
//	eventually TEXT program [args]   runs the program until it prints the text
func eventuallyInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually TEXT program [args]")
	}
	for until := time.Now().Add(20 * time.Second); ; {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(until) {
			ts.Fatalf("%q was never printed", args[0])
		}
	}
}

// fieldInScript is the command
//
//	field NAME path   sets $NAME to the field at the path of the JSON on standard output
//	! field path      there must be no such field, or it is null
func fieldInScript(ts *testscript.TestScript, neg bool, args []string) {
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	for name := range strings.SplitSeq(args[len(args)-1], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			ts.Check(err)
			value = nil
			if i < len(v) {
				value = v[i]
			}
		default:
			value = nil
		}
	}
	switch {
	case neg && value != nil:
		ts.Fatalf("got %v, want no %s", value, args[0])
	case !neg && value == nil:
		ts.Fatalf("there is no %s", args[len(args)-1])
	case !neg:
		ts.Setenv(args[0], fmt.Sprint(value))
	}
}

// substituteInScript is the command
//
//	substitute FILE   puts the environment into the file in place of ${NAME}
func substituteInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: substitute FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}
