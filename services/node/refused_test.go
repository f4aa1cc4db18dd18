package node_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/journal"
	"github.com/keyledger/keyledger/services/node"
)

// TestRefusedStarts damages an installation in every way that a start notices
// before it opens the log. It names what it found and changes nothing.
func TestRefusedStarts(t *testing.T) {
	tests := []struct {
		name   string
		damage func(w *world)
		guard  string
		says   string
	}{
		{"ready, without its unlock key", func(w *world) { w.remove("data-unlock.key") }, node.GuardUnlock, "there is no unlock key at"},
		{"missing, and an unlock key", func(w *world) { w.remove("data") }, node.GuardEmptied, "no data in"},
		{"empty, and an unlock key", func(w *world) { w.empty("data") }, node.GuardEmptied, "no data in"},
		{"ready, with another's unlock key", func(w *world) { w.swap(installed(w.T), "data-unlock.key") }, node.GuardUnlock, "belongs to installation"},
		{"starting, with another's unlock key", func(w *world) {
			w.swap(installed(w.T), "data-unlock.key")
			w.edit("data/installation.json", "state", "starting")
		}, node.GuardUnlock, "belongs to installation"},
		{"an unlock key with another key in it", func(w *world) {
			w.edit("data-unlock.key", "key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
		}, node.GuardUnlock, "cannot be opened"},
		{"an unlock key that others can read", func(w *world) { w.chmod("data-unlock.key", 0o644) }, node.GuardUnlock, "cannot be used"},
		{"an unlock key inside the data", func(w *world) {
			w.move("data-unlock.key", "data/unlock.key")
			w.config.UnlockKey = w.path("data/unlock.key")
		}, node.GuardUnlock, "inside the data directory"},
		{"without its epoch key", func(w *world) { w.remove("data/keys/epoch-1") }, node.GuardUnlock, "cannot be opened"},
		{"with another's epoch key", func(w *world) { w.swap(installed(w.T), "data/keys/epoch-1") }, node.GuardUnlock, "cannot be opened"},
		{"a log without installation.json", func(w *world) { w.remove("data/installation.json") }, node.GuardData, `a folder "log" but no installation.json`},
		{"projections without installation.json", func(w *world) {
			w.remove("data/installation.json")
			w.remove("data/log")
			w.remove("data/keys")
		}, node.GuardData, `a folder "projections" but no installation.json`},
		{"keys without installation.json", func(w *world) {
			w.remove("data/installation.json")
			w.remove("data/log")
			w.remove("data/projections")
		}, node.GuardData, `a folder "keys" but no installation.json`},
		{"a log without installation.json and unlock key", func(w *world) {
			w.remove("data/installation.json")
			w.remove("data-unlock.key")
		}, node.GuardData, `a folder "log" but no installation.json`},
		{"a damaged installation.json", func(w *world) { w.write("data/installation.json", "{") }, node.GuardData, "damaged or of a newer version"},
		{"an emptied installation.json", func(w *world) { w.write("data/installation.json", "") }, node.GuardData, "damaged or of a newer version"},
		{"a newer installation.json", func(w *world) { w.edit("data/installation.json", "format", 2) }, node.GuardData, "damaged or of a newer version"},
		{"ready, without when its log was made", func(w *world) { w.edit("data/installation.json", "ledger_created", "0001-01-01T00:00:00Z") },
			node.GuardData, "damaged or of a newer version"},
		{"starting, with messages in a log that was not made", func(w *world) {
			w.edit("data/installation.json", "ledger_created", "0001-01-01T00:00:00Z")
			w.edit("data/installation.json", "state", "starting")
		}, node.GuardData, "holds messages"},
		{"an unknown state", func(w *world) { w.edit("data/installation.json", "state", "sleeping") }, node.GuardData, `unknown state "sleeping"`},
		{"a file where the data should be", func(w *world) {
			w.remove("data")
			w.remove("data-unlock.key")
			w.remove("data-credentials.json")
			w.write("data", "")
		}, node.GuardDirectory, "is not a folder"},
		{"without its log", func(w *world) { w.remove("data/log") }, journal.GuardMissing, "restore the data directory as a whole"},
		{"a full disk", func(w *world) {
			w.config.Space.Statfs = func(string) (uint64, error) { return 4095, nil }
		}, node.GuardSpace, "4095 bytes are free, and 4194304 have to be"},
		{"an address that others reach", func(w *world) { w.config.Listen = "0.0.0.0:0" }, node.GuardListen, "--insecure-http"},
		{"NATS in the clear", func(w *world) { w.config.NATSListen = "0.0.0.0:0" }, node.GuardListen, "would be in the clear"},
		{"NATS at no address", func(w *world) { w.config.NATSListen = "4222" }, node.GuardListen, "is not host:port"},
		{"NATS without users", func(w *world) { w.config.NATSListen = "127.0.0.1:0" }, node.GuardListen, "keyledger nats user create"},
		{"NATS with users that cannot be read", func(w *world) {
			w.config.NATSListen = "127.0.0.1:0"
			w.write("data-nats-users", "siem and more")
		}, node.GuardListen, "want a name and a public key"},
		{"an address that is none", func(w *world) { w.config.Listen = "7420" }, node.GuardListen, `"7420" is not host:port`},
		{"an address for Envoy that others reach", func(w *world) { w.config.ExtAuthzListen = "0.0.0.0:0" }, node.GuardListen, "0.0.0.0:0 is reachable from other machines"},
		{"an address for Envoy that is none", func(w *world) { w.config.ExtAuthzListen = "9191" }, node.GuardListen, `"9191" is not host:port`},
		{"a proxy by name", func(w *world) { w.config.TrustedProxies = []string{"10.0.0.0/8", "proxy"} }, node.GuardListen, `--trusted-proxies: "proxy" is not a network`},
		{"a certificate without its key", func(w *world) { w.config.TLSCert = "cert.pem" }, node.GuardListen, "go together"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := installed(t)
			test.damage(w)
			before := w.files()
			_, err := node.Start(t.Context(), w.config)
			w.refused(err, test.guard, test.says)
			w.same(before, w.files())
		})
	}
}

// refused wants the refusal of a guard.
func (w *world) refused(err error, guard, says string) {
	w.Helper()
	var log *journal.RefusedError
	r := &node.RefusedError{}
	if errors.As(err, &log) {
		r.Guard = log.Guard
	} else if !errors.As(err, &r) {
		w.Fatalf("got %v, want a refusal by guard %s", err, guard)
	}
	if r.Guard != guard || !strings.Contains(err.Error(), says) {
		w.Fatalf("got %v, want guard %s and %q", err, guard, says)
	}
}

// TestNothingIsMadeForARefusal has nothing there but what is in the way.
func TestNothingIsMadeForARefusal(t *testing.T) {
	for name, prepare := range map[string]func(w *world){
		"credentials":                 func(w *world) { w.write("data-credentials.json", "mine") },
		"a link that leads nowhere":   func(w *world) { w.link("nowhere", "data-credentials.json") },
		"credentials beside old data": func(w *world) { w.write("data-credentials.json", "mine"); w.mkdir("data") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			prepare(w)
			before := w.files()
			_, err := node.Start(t.Context(), w.config)
			w.refused(err, node.GuardData, "is there already and is not overwritten")
			w.same(before, w.files())
		})
	}
}

// TestCredentialsThatCannotBeWritten are refused before anything is made, so that
// another flag is all it takes.
func TestCredentialsThatCannotBeWritten(t *testing.T) {
	for name, path := range map[string]string{"no such folder": "nowhere/credentials.json", "inside the data": "data/credentials.json"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			before, was := w.files(), w.config.InitCredentials
			w.config.InitCredentials = w.path(path)
			_, err := node.Start(t.Context(), w.config)
			w.refused(err, node.GuardData, "credentials file")
			w.same(before, w.files())
			w.config.InitCredentials = was
			w.client(w.start()).works()
		})
	}
}

// TestDamagedProjections are named for what they are: nothing is wrong with the log.
func TestDamagedProjections(t *testing.T) {
	w := installed(t)
	n := w.start()
	w.must(n.Flush())
	w.stop(n)
	tables, err := filepath.Glob(w.path("data/projections/v*/*.sst"))
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	for _, path := range tables {
		text, err := os.ReadFile(path)
		w.must(err)
		for i := range min(len(text), 2000) {
			text[i] ^= 1
		}
		w.must(os.WriteFile(path, text, 0o600))
	}
	r := &report{}
	_, err = node.Start(t.Context(), w.config)
	if err == nil {
		t.Log("the start did not read what is damaged")
		err = node.Doctor(t.Context(), w.config, r)
	} else {
		w.refused(err, node.GuardStore, "built anew from the log")
	}
	if err == nil {
		t.Errorf("nobody found it: %+v", r)
	}
	w.must(os.RemoveAll(w.path("data/projections")))
	w.client(w.start()).works()
}

// TestStopWithAHalfSentRequest does not wait for ever for somebody who does not
// send his request to its end, and is no failure.
func TestStopWithAHalfSentRequest(t *testing.T) {
	w := installed(t)
	node.BeImpatient(t)
	n := w.start()
	c, err := net.Dial("tcp", strings.TrimPrefix(n.URL(), "http://"))
	w.must(err)
	defer c.Close()
	_, err = fmt.Fprint(c, "POST /v1/users HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
	w.must(err)
	w.eventually("the request to arrive", func() bool { ready, _ := w.health(n); return ready })
	w.stop(n)
}

// TestWithoutALedger asks for what needs one where there is none.
func TestWithoutALedger(t *testing.T) {
	w := newWorld(t)
	_, err := node.Recover(t.Context(), w.config, w.path("new.json"))
	w.refused(err, node.GuardNotFirst, "start it once with serve")
	w.refused(node.Doctor(t.Context(), w.config, &report{}), node.GuardNotFirst, "start it once with serve")
	w.refused(node.Acknowledge(t.Context(), w.config, node.EveryProjection, 1, "why not"), node.GuardNotFirst, "start it once with serve")
	if left := w.files(); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTwoOnOneDirectory(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	_, err := node.Start(t.Context(), w.config)
	w.refused(err, node.GuardDirectory, fmt.Sprintf("the process with ID %d", os.Getpid()))
	w.refused(node.Doctor(t.Context(), w.config, &report{}), node.GuardDirectory, "uses")
	_, err = node.Recover(t.Context(), w.config, w.path("new.json"))
	w.refused(err, node.GuardDirectory, "uses")
	w.client(n).works()
}

// TestAnotherLog puts another log in the place of ours. What lies in it is
// left as it is.
func TestAnotherLog(t *testing.T) {
	tests := []struct {
		name    string
		replace func(w *world)
		guard   string
	}{
		{"another installation's LEDGER", func(w *world) { w.swap(installed(w.T), ledgerFolder) }, journal.GuardIdentity},
		{"another installation's whole log", func(w *world) { w.swap(installed(w.T), "data/log") }, journal.GuardIdentity},
		{"no LEDGER", func(w *world) { w.remove(ledgerFolder) }, journal.GuardMissing},
		{"no log", func(w *world) { w.remove("data/log") }, journal.GuardMissing},
		{"an older copy", func(w *world) { w.older() }, journal.GuardTail},
		{"an older copy, and no projections", func(w *world) { w.older(); w.remove("data/projections") }, journal.GuardTail},
		{"an older copy, behind the projections alone", func(w *world) { w.older(); w.remove("data/reached") }, node.GuardProjections},
		{"a position that is none", func(w *world) { w.write("data/reached", "far") }, node.GuardData},
		{"another installation's projections", func(w *world) { w.swap(installed(w.T), "data/projections") }, node.GuardProjections},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := installed(t)
			test.replace(w)
			before := w.blocks()
			for range 2 { // a refusal changes nothing for the next start
				_, err := node.Start(t.Context(), w.config)
				var ours *node.RefusedError
				var logs *journal.RefusedError
				switch {
				case errors.As(err, &ours) && ours.Guard == test.guard:
				case errors.As(err, &logs) && logs.Guard == test.guard:
				default:
					t.Fatalf("got %v, want a refusal by guard %s", err, test.guard)
				}
			}
			if after := w.blocks(); !maps.Equal(before, after) {
				t.Errorf("the messages were %v and are %v", before, after)
			}
		})
	}
}

// older puts an older copy of the log in its place.
func (w *world) older() {
	w.copy("data/log", "older")
	n := w.start()
	w.client(n).ask("POST", "/v1/users", `{"name":"alice"}`)
	w.stop(n)
	w.remove("data/log")
	w.move("older", "data/log")
}

const ledgerFolder = "data/log/jetstream/$G/streams/LEDGER"

// blocks is the files that hold the messages of LEDGER.
func (w *world) blocks() map[string]string {
	w.Helper()
	out := w.files()
	maps.DeleteFunc(out, func(path, _ string) bool {
		return !strings.HasPrefix(path, "/"+ledgerFolder) || filepath.Ext(path) != ".blk"
	})
	return out
}

// What damages a world.

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) remove(name string) { w.Helper(); w.must(os.RemoveAll(w.path(name))) }
func (w *world) empty(name string)  { w.Helper(); w.remove(name); w.mkdir(name) }
func (w *world) mkdir(name string)  { w.Helper(); w.must(os.Mkdir(w.path(name), 0o700)) }

func (w *world) move(from, to string) { w.Helper(); w.must(os.Rename(w.path(from), w.path(to))) }
func (w *world) link(to, name string) { w.Helper(); w.must(os.Symlink(to, w.path(name))) }
func (w *world) copy(from, to string) {
	w.Helper()
	w.must(os.CopyFS(w.path(to), os.DirFS(w.path(from))))
}

func (w *world) chmod(name string, mode os.FileMode) {
	w.Helper()
	w.must(os.Chmod(w.path(name), mode))
}

func (w *world) write(name, text string) {
	w.Helper()
	w.must(os.WriteFile(w.path(name), []byte(text), 0o600))
}

// swap puts another world's file or folder in the place of ours.
func (w *world) swap(other *world, name string) {
	w.Helper()
	w.remove(name)
	w.must(os.Rename(other.path(name), w.path(name)))
}

// edit changes a field of a JSON file.
func (w *world) edit(name, field string, value any) {
	w.Helper()
	text, err := os.ReadFile(w.path(name))
	w.must(err)
	fields := map[string]any{}
	w.must(json.Unmarshal(text, &fields))
	fields[field] = value
	text, err = json.Marshal(fields)
	w.must(err)
	w.write(name, string(text))
}
