package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// smallDisk is a file system of 512 MiB in memory, or the test is skipped.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getenv("KEYLEDGER_FAULT") == "" {
		t.Skip("a full disk: skipped, because KEYLEDGER_FAULT is not set")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a full disk: skipped, because there are no rights to mount a file system: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	return dir
}

// fill takes all the room there is, as another program would.
func fill(t *testing.T, dir string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "of-another")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); err != nil {
			chunk = chunk[:len(chunk)/2]
		}
	}
	return path
}

// TestDiskFull has another program fill the disk under load. Clients are told
// clearly, nothing acknowledged is lost, a key can still be disabled, and everything goes
// on, without a restart, when there is room again.
func TestDiskFull(t *testing.T) {
	v := newVictim(t, smallDisk(t))
	probe := v.tenant("strict")
	v.work()
	v.load.reach(v.load.acked.Load() + 300)
	for round := range 3 {
		var key struct {
			ID string `json:"access_key_id"`
		}
		user := probe.user("probe" + string(rune('a'+round)))
		probe.must(http.MethodPost, "/v1/users/"+user+"/keys", "", &key)
		path := fill(t, v.dir)
		eventually(t, time.Minute, "writes to be off", func() bool { return v.writes() != "on" })
		probe.unavailable(user)
		probe.disables(key.ID)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "writes to be on again", func() bool { return v.writes() == "on" })
		v.load.reach(v.load.acked.Load() + 200)
	}
	v.load.stop()
	v.stop()
	v.inspect("a full disk", true)
	v.doctor()
}

// writes is what the server says of its disk to anybody.
func (v *victim) writes() string {
	res, err := v.load.client.Get(*v.load.url.Load() + "/readyz")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	var status struct {
		Writes string `json:"writes"`
	}
	if err := json.NewDecoder(res.Body).Decode(&status); err != nil {
		return err.Error()
	}
	return status.Writes
}

// unavailable wants an ordinary command to be refused as long as the disk is full.
func (t *tenant) unavailable(user string) {
	t.load.t.Helper()
	a, err := t.once(http.MethodPost, "/v1/users/"+user+"/keys", "", "")
	if err != nil || a.status != http.StatusServiceUnavailable || a.code != "unavailable" {
		t.load.t.Errorf("a key on a full disk: got %d %s, %v, want 503 and the code unavailable", a.status, a.body, err)
	}
}

// disables wants a key to be disabled although the disk is full.
func (t *tenant) disables(key string) {
	t.load.t.Helper()
	var a answered
	eventually(t.load.t, 30*time.Second, "the reserve", func() (done bool) {
		var err error
		a, err = t.once(http.MethodPatch, "/v1/keys/"+key, `{"status":"disabled"}`, "")
		return err == nil && a.status != http.StatusServiceUnavailable
	})
	if a.status != http.StatusOK {
		t.load.t.Errorf("a key to be disabled on a full disk: got %d %s", a.status, a.body)
	}
	var got keyState
	if !t.ask("/v1/keys/"+key, &got) || got.Status != "disabled" {
		t.load.t.Errorf("the key is %q, want disabled", got.Status)
	}
}
