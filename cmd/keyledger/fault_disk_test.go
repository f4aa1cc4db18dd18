package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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

// fill takes the room there is, as another program would, but not what the
// server has given back for its reserve.
func (v *victim) fill() (path string) {
	v.t.Helper()
	path = filepath.Join(v.dir, "of-another")
	f, err := os.Create(path)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for at := int64(0); ; {
		size := v.free()
		if size < 1<<20 {
			return path
		}
		if syscall.Fallocate(int(f.Fd()), 0, at, size) == nil { // else others have written in between
			at += size
		}
	}
}

// free is how many bytes another program may take.
func (v *victim) free() int64 {
	v.t.Helper()
	var disk syscall.Statfs_t
	if err := syscall.Statfs(v.dir, &disk); err != nil {
		v.t.Fatal(err)
	}
	keep := int64(2 << 20)
	if _, err := os.Stat(filepath.Join(v.data(), "log", "ballast")); err != nil {
		keep += 32 << 20
	}
	return int64(disk.Bavail)*disk.Bsize - keep
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
		path := v.fill()
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

// TestDiskFilledToTheLastByte leaves the server no room at all, not even for its
// reserve: it goes on without a restart when there is room again.
func TestDiskFilledToTheLastByte(t *testing.T) {
	v := newVictim(t, smallDisk(t))
	v.work()
	v.load.reach(v.load.acked.Load() + 300)
	for range 3 {
		paths := v.brim()
		eventually(t, time.Minute, "writes to be off", func() bool { return v.writes() != "on" })
		for _, path := range append(paths, v.brim()...) { // what was given back for the reserve is taken too
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, time.Minute, "writes to be on again", func() bool { return v.writes() == "on" })
		v.load.reach(v.load.acked.Load() + 200)
	}
	v.load.stop()
	v.stop()
	v.inspect("a disk filled to the last byte", true)
	v.doctor()
}

// brim takes every byte there is, for a second.
func (v *victim) brim() (paths []string) {
	v.t.Helper()
	for until := time.Now().Add(time.Second); time.Now().Before(until); {
		f, err := os.CreateTemp(v.dir, "of-another-*")
		if err != nil {
			continue // there is not even room for a name
		}
		paths = append(paths, f.Name())
		for chunk := make([]byte, 64<<10); len(chunk) > 0; {
			if _, err := f.Write(chunk); err != nil {
				chunk = chunk[:len(chunk)/2]
			}
		}
		if err := f.Close(); err != nil {
			v.t.Fatal(err)
		}
	}
	return paths
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
	id := "unavailable-" + user
	t.load.begin(id, true)
	a, err := t.once(http.MethodPost, "/v1/users/"+user+"/keys", "", id)
	if err != nil || a.status != http.StatusServiceUnavailable || a.code != "unavailable" {
		t.load.t.Errorf("a key on a full disk: got %d %s, %v, want 503 and the code unavailable", a.status, a.body, err)
	}
}

// disables wants a key to be disabled although the disk is full.
func (t *tenant) disables(key string) {
	t.load.t.Helper()
	id := "disable-" + key
	t.load.begin(id, true)
	var a answered
	eventually(t.load.t, 30*time.Second, "the reserve", func() (done bool) {
		var err error
		a, err = t.once(http.MethodPatch, "/v1/keys/"+key, `{"status":"disabled"}`, id)
		return err == nil && a.status != http.StatusServiceUnavailable
	})
	if a.status != http.StatusOK {
		t.load.t.Errorf("a key to be disabled on a full disk: got %d %s", a.status, a.body)
	}
	t.load.settle(id, acknowledged, "")
	var got keyState
	if !t.ask("/v1/keys/"+key, &got) || got.Status != "disabled" {
		t.load.t.Errorf("the key is %q, want disabled", got.Status)
	}
}
