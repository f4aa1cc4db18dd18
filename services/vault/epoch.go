package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/durable"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	epochFormat = 1
	firstEpoch  = 1
	keysFolder  = "keys" // in the data directory
	epochPrefix = "epoch-"
)

// epochFile is an epoch key file.
type epochFile struct {
	Format       int            `json:"format"`
	Installation InstallationID `json:"installation_id"`
	Epoch        uint32         `json:"epoch"`
	Unlock       string         `json:"unlock"` // URI of what opens the keyset
	Created      time.Time      `json:"created"`
	Keyset       []byte         `json:"keyset"` // Tink EncryptedKeyset, binary
}

// A WrongUnlockKeyError says that an epoch key was sealed by another unlock key
// than the one at hand, or for another installation.
type WrongUnlockKeyError struct {
	UnlockFile       string // the unlock key file
	EpochFile        string // the epoch key file
	Unlock           string // URI of the unlock key at hand
	WantUnlock       string // URI of the one that is needed
	Installation     InstallationID
	WantInstallation InstallationID
}

func (e *WrongUnlockKeyError) Error() string {
	if e.Installation != e.WantInstallation {
		return fmt.Sprintf("vault: wrong unlock key: %s is of installation %s, %s of installation %s",
			e.UnlockFile, e.Installation, e.EpochFile, e.WantInstallation)
	}
	return fmt.Sprintf("vault: wrong unlock key: %s holds %s, %s needs %s", e.UnlockFile, e.Unlock, e.EpochFile, e.WantUnlock)
}

// An EpochKeyError says why an epoch key file is not used. A missing or damaged
// one cannot be made anew: without it the secrets of its epoch stay shut.
type EpochKeyError struct {
	Path   string
	Reason string // a clause that continues "the epoch key file <path> ..."
	Err    error  // the cause, if it is the system's: fs.ErrNotExist, fs.ErrExist, ...
}

func (e *EpochKeyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("vault: the epoch key file %s %s: %v", e.Path, e.Reason, e.Err)
	}
	return fmt.Sprintf("vault: the epoch key file %s %s", e.Path, e.Reason)
}

func (e *EpochKeyError) Unwrap() error { return e.Err }

// Create makes the first epoch key of a new installation, in the data
// directory, and opens the vault. The key is durable when Create returns. If the
// installation has one already, it stays and the error is fs.ErrExist: use Open.
func Create(dataDir string, unlock *UnlockKey, now time.Time) (*Vault, error) {
	folder, path := filepath.Join(dataDir, keysFolder), epochPath(dataDir, firstEpoch)
	there, err := listEpochs(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(there) > 0 {
		return nil, &EpochKeyError{Path: epochPath(dataDir, there[0]), Reason: "cannot be created", Err: fs.ErrExist}
	}
	f := epochFile{Format: epochFormat, Installation: unlock.installation, Epoch: firstEpoch, Unlock: unlock.URI(), Created: now.UTC()}
	if f.Keyset, err = f.drawKeyset(unlock); err != nil {
		return nil, &EpochKeyError{Path: path, Reason: "cannot be created", Err: err}
	}
	if err := createJSON(path, f); err != nil {
		return nil, &EpochKeyError{Path: path, Reason: "cannot be created", Err: err}
	}
	return Open(dataDir, unlock)
}

// drawKeyset is a new key for the file's epoch, sealed by unlock.
func (f epochFile) drawKeyset(unlock *UnlockKey) ([]byte, error) {
	handle, err := keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		return nil, err
	}
	var sealed bytes.Buffer
	err = handle.WriteWithAssociatedData(keyset.NewBinaryWriter(&sealed), unlock.aead, f.associatedData())
	return sealed.Bytes(), err
}

// Open opens the vault of an installation with all epoch keys that there are.
// The error is a *WrongUnlockKeyError, or an *EpochKeyError: there is none
// (fs.ErrNotExist), or one cannot be read or is damaged. Nothing else may be using
// the data directory.
func Open(dataDir string, unlock *UnlockKey) (*Vault, error) {
	folder := filepath.Join(dataDir, keysFolder)
	if err := durable.RemoveLeftovers(folder, epochPrefix+"*"); err != nil {
		return nil, &EpochKeyError{Path: folder, Reason: "has leftovers that cannot be removed", Err: err}
	}
	epochs, err := listEpochs(folder)
	if err != nil {
		return nil, err
	}
	v := &Vault{installation: unlock.installation, epochs: make(map[uint32]tink.AEAD, len(epochs))}
	for _, epoch := range epochs {
		if v.epochs[epoch], err = openEpoch(epochPath(dataDir, epoch), epoch, unlock); err != nil {
			return nil, err
		}
		v.current = max(v.current, epoch)
	}
	if v.current == 0 {
		return nil, &EpochKeyError{Path: epochPath(dataDir, firstEpoch), Reason: "cannot be opened", Err: fs.ErrNotExist}
	}
	return v, nil
}

func epochPath(dataDir string, epoch uint32) string {
	return filepath.Join(dataDir, keysFolder, epochPrefix+strconv.FormatUint(uint64(epoch), 10))
}

// listEpochs are the epochs that have a key file. A name that is only nearly
// one is refused: it may be a copy of a key, which would outlive the key.
func listEpochs(folder string) ([]uint32, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, &EpochKeyError{Path: folder, Reason: "cannot be listed", Err: err}
	}
	var epochs []uint32
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), epochPrefix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != number {
			return nil, &EpochKeyError{Path: filepath.Join(folder, e.Name()), Reason: "has a name that is not that of an epoch: move it away"}
		}
		epochs = append(epochs, uint32(n))
	}
	return epochs, nil
}

func openEpoch(path string, epoch uint32, unlock *UnlockKey) (tink.AEAD, error) {
	data, reason, err := readPrivate(path)
	if reason != "" {
		return nil, &EpochKeyError{Path: path, Reason: reason, Err: err}
	}
	if err := durable.Settle(path); err != nil {
		return nil, &EpochKeyError{Path: path, Reason: "may not survive a power cut", Err: err}
	}
	var f epochFile
	if reason := parseFile(data, epochFormat, &f); reason != "" {
		return nil, &EpochKeyError{Path: path, Reason: reason}
	}
	if f.Epoch != epoch {
		return nil, &EpochKeyError{Path: path, Reason: fmt.Sprintf("is that of epoch %d", f.Epoch)}
	}
	if f.Installation != unlock.installation || f.Unlock != unlock.URI() {
		return nil, &WrongUnlockKeyError{
			UnlockFile: unlock.path, EpochFile: path, Unlock: unlock.URI(), WantUnlock: f.Unlock,
			Installation: unlock.installation, WantInstallation: f.Installation,
		}
	}
	return f.open(path, unlock)
}

// open unlocks the keyset of a file that says unlock is its key.
func (f epochFile) open(path string, unlock *UnlockKey) (tink.AEAD, error) {
	handle, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(f.Keyset)), unlock.aead, f.associatedData())
	if err != nil {
		return nil, &EpochKeyError{Path: path, Reason: "is damaged: it names the unlock key at hand, which does not open it"}
	}
	key, err := aead.New(handle)
	if err != nil {
		return nil, &EpochKeyError{Path: path, Reason: "holds a key of a kind that this build does not know"}
	}
	return key, nil
}

// associatedData binds the keyset to its installation and epoch.
func (f epochFile) associatedData() []byte {
	return fmt.Appendf(nil, "%d|%s|epoch key|%d", f.Format, f.Installation, f.Epoch)
}
