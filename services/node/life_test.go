package node_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/node"
	"github.com/keyledger/keyledger/services/vault"
)

// A report is what the doctor said.
type report struct {
	found    map[string]error
	progress bool
}

func (r *report) Check(name string, err error) {
	if r.found == nil {
		r.found = map[string]error{}
	}
	r.found[name] = err
}

func (r *report) Progress(done, total uint64) { r.progress = r.progress || total > 0 }

func TestDoctorFindsAllWell(t *testing.T) {
	w := installed(t)
	r := &report{}
	if err := node.Doctor(t.Context(), w.config, r); err != nil {
		t.Errorf("doctor: %v", err)
	}
	for _, check := range []string{"start", "log", "projections", "secrets"} {
		if err, made := r.found[check]; !made || err != nil {
			t.Errorf("check %s: made %v, found %v", check, made, err)
		}
	}
	if !r.progress {
		t.Error("the doctor said nothing of how far it had come")
	}
}

// TestDoctorFindsAFlippedBit damages the log of a ledger of several blocks' life.
func TestDoctorFindsAFlippedBit(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		c.ask(http.MethodPost, "/v1/users", `{"name":"`+name+`"}`)
	}
	w.stop(n)
	block := filepath.Join(w.path(ledgerFolder), "msgs", "1.blk")
	text, err := os.ReadFile(block)
	w.must(err)
	text[len(text)/2] ^= 0x10
	w.must(os.WriteFile(block, text, 0o600))
	r := &report{}
	err = node.Doctor(t.Context(), w.config, r)
	if err == nil || r.found["start"] == nil && r.found["log"] == nil {
		t.Fatalf("doctor: got %v, found %v, want the damage named", err, r.found)
	}
	t.Logf("the doctor says: %v", err)
}

// TestDoctorFindsASecretThatDoesNotOpen gives the ledger another epoch key under
// the same unlock key.
func TestDoctorFindsASecretThatDoesNotOpen(t *testing.T) {
	w := installed(t)
	unlock, err := vault.OpenUnlockKey(w.path("data-unlock.key"), w.path("data"))
	w.must(err)
	w.mkdir("other")
	_, err = vault.Create(w.path("other"), unlock, w.clock.now())
	w.must(err)
	w.remove("data/keys")
	w.move("other/keys", "data/keys")
	r := &report{}
	err = node.Doctor(t.Context(), w.config, r)
	if err == nil || r.found["secrets"] == nil || !strings.Contains(err.Error(), "1 of 1 keys have no secret that opens") {
		t.Errorf("doctor: got %v, want the secret named", err)
	}
	n := w.start()
	w.eventually("the running server to say so", func() bool {
		_, state := w.health(n)
		return strings.Contains(state["secrets"].(string), "no secret that opens")
	})
}

// TestRecover has the operator's root user at its quota, with every key lost.
func TestRecover(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	c := w.client(n)
	root := c.as.UserID
	second := c.ask(http.MethodPost, "/v1/users/"+root+"/keys", "")["access_key_id"].(string)
	if status, _ := c.send(http.MethodPost, "/v1/users/"+root+"/keys", ""); status != http.StatusConflict {
		t.Fatalf("a third key: got %d, want the quota to be full", status)
	}
	operator := "/v1/accounts/" + c.as.AccountID + "/network-policy"
	c.ask(http.MethodPut, operator, `{"status":"active","statements":[{"type":"address","addresses":["127.0.0.1","::1"]}]}`)
	first := c.as.AccessKeyID
	w.stop(n)

	w.config.Listen = "127.0.0.1:7420"
	made, err := node.Recover(t.Context(), w.config, w.path("new.json"))
	w.must(err)
	if strings.Contains(made.String()+made.GoString(), made.SecretAccessKey) {
		t.Error("credentials print their secret")
	}
	info, err := os.Stat(w.path("new.json"))
	w.must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the new credentials: got mode %v, want 0600", info.Mode())
	}
	w.config.Listen = "127.0.0.1:0"
	n = w.start()
	c = w.clientOf(n, w.path("new.json"))
	c.works()
	if c.as != made || made.Endpoint != "http://127.0.0.1:7420" {
		t.Errorf("the file holds %#v of %s, want what was returned", c.as, c.as.Endpoint)
	}
	for key, want := range map[string]string{first: "deleted", second: "active", made.AccessKeyID: "active"} {
		if got := c.text("/v1/keys/"+key, "status"); got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	w.stop(n)

	all := w.records()
	last, opened := all[len(all)-2], all[len(all)-1] // the policy that could have kept the new key out is the last
	if e, ok := opened.Events[0].Event.(events.AccountNetworkPolicySet); !ok || e.NetworkPolicy.Status != events.NetworkInactive || len(e.NetworkPolicy.Statements) != 1 || opened.Meta.Actor != events.ActorRecovery {
		t.Errorf("the log ends with %+v by %s, want the network policy to be inactive, and kept", opened.Events[0].Event, opened.Meta.Actor)
	}
	created, _ := last.Events[len(last.Events)-1].Event.(events.KeyCreated)
	if last.Meta.Actor != events.ActorRecovery || created.Cause != events.CauseRecovery || string(created.Key) != made.AccessKeyID {
		t.Errorf("the log ends with %+v by %s, want the recovery", created, last.Meta.Actor)
	}
}

// TestRecoverOverwritesNothing leaves the log as it was when there is no place
// for the key.
func TestRecoverOverwritesNothing(t *testing.T) {
	w := installed(t)
	before := len(w.records())
	if _, err := node.Recover(t.Context(), w.config, w.path("data-credentials.json")); err == nil || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("got %v, want that the file is not overwritten", err)
	}
	if _, err := node.Recover(t.Context(), w.config, w.path("no/such/folder.json")); err == nil {
		t.Error("a key that could not be written down was made")
	}
	if after := len(w.records()); after != before {
		t.Errorf("the log has grown from %d to %d", before, after)
	}
}

// TestCloseTwice is what a program does that closes in every case.
func TestCloseTwice(t *testing.T) {
	w := newWorld(t)
	n := w.start()
	w.stop(n)
	w.stop(n)
}

// TestSpaceOfASmallDisk leaves room to work in on any disk, and a reserve.
func TestSpaceOfASmallDisk(t *testing.T) {
	for _, test := range []struct{ disk, off, hard, ballast uint64 }{
		{1 << 40, 256 << 20, 16 << 20, 32 << 20},
		{2 << 30, 256 << 20, 16 << 20, 32 << 20},
		{512 << 20, 64 << 20, 16 << 20, 32 << 20},
		{128 << 20, 16 << 20, 4 << 20, 8 << 20},
	} {
		s := node.SpaceOf(test.disk)
		if s.Off != test.off || s.Hard != test.hard || s.Ballast != test.ballast {
			t.Errorf("a disk of %d bytes: got %+v, want %+v", test.disk, s, test)
		}
	}
}
