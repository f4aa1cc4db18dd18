package vault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/keyledger/keyledger/services/durable"
)

// maxFileSize bounds what is read of a key file, in bytes.
const maxFileSize = 64 << 10

// createJSON writes a new file that its owner alone can read, durably, with the
// folders above it.
func createJSON(path string, content any) error {
	data, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	defer clear(data)
	if err := durable.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.CreateFile(path, data, 0o600)
}

// readPrivate reads a file that nobody but its owner can read. If it is not
// such a file, the reason says so, as a clause whose subject is the file, and
// err is the system's error if there was one.
func readPrivate(path string) (data []byte, reason string, err error) {
	f, reason, err := openNoFollow(path)
	if reason != "" {
		return nil, reason, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "cannot be read", err
	}
	if reason := notPrivate(info); reason != "" {
		return nil, reason, nil
	}
	data, err = io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, "cannot be read", err
	}
	if len(data) > maxFileSize {
		return nil, fmt.Sprintf("is longer than %d bytes", maxFileSize), nil
	}
	return data, "", nil
}

// notPrivate says why others than this process's user may know the file, or
// nothing.
func notPrivate(info os.FileInfo) string {
	if !info.Mode().IsRegular() {
		return "is not a regular file"
	}
	if uid, ours := owner(info); !ours {
		return fmt.Sprintf("belongs to the user with number %d: it must belong to the one this process runs as, %d", uid, os.Geteuid())
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Sprintf("has the permissions %04o: it must be closed to its group and to others (chmod 600)", perm)
	}
	return ""
}

// parseFile reads the JSON of a key file into f. If it cannot, the reason says
// why, as a clause whose subject is the file; it quotes nothing, since what it
// would quote could be a key.
func parseFile(data []byte, format int, f any) (reason string) {
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Format < 1 {
		return "is not a key file: it must be JSON with a format"
	}
	if head.Format > format {
		return fmt.Sprintf("has the format %d, which is newer than this build: it knows %d", head.Format, format)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(f); err != nil {
		return fmt.Sprintf("does not hold what a file of format %d holds", head.Format)
	}
	return ""
}

// outside refuses a path for the unlock key that lies inside the data directory,
// whatever links lead there: who takes the data would take the key along.
func outside(path, dataDir string) error {
	inside, err := Inside(path, dataDir)
	if err != nil {
		return &UnlockKeyError{Path: path, Reason: "cannot be held against the data directory", Err: err}
	}
	if inside {
		return &UnlockKeyError{Path: path, Reason: fmt.Sprintf("lies inside the data directory %s: keep it elsewhere, or whoever takes the data has the key", dataDir)}
	}
	return nil
}

// Inside says whether a file lies, or would lie, inside a directory, whatever
// links lead there.
func Inside(path, dir string) (bool, error) {
	folder, err := resolved(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	if dir, err = resolved(dir); err != nil {
		return false, err
	}
	for ; ; folder = filepath.Dir(folder) {
		if folder == dir || same(folder, dir) {
			return true, nil
		}
		if folder == filepath.Dir(folder) {
			return false, nil
		}
	}
}

// resolved is the absolute path of a folder without links, as far as it exists.
func resolved(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	missing := ""
	for at := dir; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, missing), nil
		}
		if at == filepath.Dir(at) {
			return dir, nil
		}
		missing = filepath.Join(filepath.Base(at), missing)
	}
}

func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
