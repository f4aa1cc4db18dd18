package vault_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keyledger/keyledger/services/vault"
)

// TestUnlockKeyInTheDataByAMount reaches the data directory by another name
// that no link shows.
func TestUnlockKeyInTheDataByAMount(t *testing.T) {
	dir := t.TempDir()
	data, mounted := filepath.Join(dir, "data"), filepath.Join(dir, "mounted")
	for _, d := range []string{data, mounted} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount(data, mounted, "", unix.MS_BIND, ""); err != nil {
		t.Skipf("mounting needs rights that this process does not have: %v", err)
	}
	defer unix.Unmount(mounted, unix.MNT_DETACH)
	if _, err := vault.CreateUnlockKey(filepath.Join(mounted, "unlock.key"), data, installation, day, rand.Reader); err == nil {
		t.Error("the unlock key lies in the data directory")
	}
}
