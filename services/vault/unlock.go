package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/keyledger/keyledger/services/durable"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	unlockFormat    = 1
	unlockKeyLength = 32 // bytes; AES-256-GCM
)

// unlockFile is the unlock key file.
type unlockFile struct {
	Format       int            `json:"format"`
	Installation InstallationID `json:"installation_id"`
	Key          []byte         `json:"key"`
	Created      time.Time      `json:"created"`
}

// An UnlockKey opens the epoch keys of one installation. It prints as its ID,
// never as the key.
type UnlockKey struct {
	path         string
	installation InstallationID
	id           string
	created      time.Time
	aead         tink.AEAD
}

// Installation says whose unlock key it is.
func (k *UnlockKey) Installation() InstallationID { return k.installation }

// ID is 16 hex digits that tell one unlock key from another. They say nothing
// about the key itself.
func (k *UnlockKey) ID() string { return k.id }

// URI is how an epoch key file names the key that opens it: "keyfile:<ID>". Other
// ways to unlock will have other schemes.
func (k *UnlockKey) URI() string { return "keyfile:" + k.id }

// Created is when the key was drawn.
func (k *UnlockKey) Created() time.Time { return k.created }

func (k *UnlockKey) String() string             { return fmt.Sprintf("[unlock key %s]", k.id) }
func (k *UnlockKey) GoString() string           { return k.String() }
func (k *UnlockKey) LogValue() slog.Value       { return slog.StringValue(k.String()) }
func (k *UnlockKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, k.String()) }

// An UnlockKeyError says why an unlock key file is not used.
type UnlockKeyError struct {
	Path   string
	Reason string // a clause that continues "the unlock key file <path> ..."
	Err    error  // the cause, if it is the system's: fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, ...
}

func (e *UnlockKeyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("vault: the unlock key file %s %s: %v", e.Path, e.Reason, e.Err)
	}
	return fmt.Sprintf("vault: the unlock key file %s %s", e.Path, e.Reason)
}

func (e *UnlockKeyError) Unwrap() error { return e.Err }

// CreateUnlockKey draws the unlock key of a new installation from rand and
// writes it to path, readable by its owner alone. Folders above it that are missing are
// made, for the owner alone. It is durable when CreateUnlockKey returns. The
// error is an *UnlockKeyError: path lies inside dataDir (which need not exist
// yet), is taken (fs.ErrExist: it is never overwritten), or cannot be written; or what
// was wrong with installation, now or rand.
func CreateUnlockKey(path, dataDir string, installation InstallationID, now time.Time, rand io.Reader) (*UnlockKey, error) {
	if err := installation.Valid(); err != nil {
		return nil, fmt.Errorf("vault: create an unlock key: %w", err)
	}
	if err := outside(path, dataDir); err != nil {
		return nil, err
	}
	f := unlockFile{Format: unlockFormat, Installation: installation, Key: make([]byte, unlockKeyLength), Created: now.UTC()}
	defer clear(f.Key)
	if _, err := io.ReadFull(rand, f.Key); err != nil {
		return nil, fmt.Errorf("vault: draw an unlock key: %w", err)
	}
	if err := createJSON(path, f); err != nil {
		return nil, &UnlockKeyError{Path: path, Reason: "cannot be created", Err: err}
	}
	return f.unlockKey(path)
}

// OpenUnlockKey reads the unlock key at path. The error is an *UnlockKeyError:
// the file is not there (fs.ErrNotExist), lies inside dataDir, is a link or not a
// regular file, belongs to somebody else, can be read by others, or does not hold a
// key.
func OpenUnlockKey(path, dataDir string) (*UnlockKey, error) {
	if err := outside(path, dataDir); err != nil {
		return nil, err
	}
	data, reason, err := readPrivate(path)
	if reason != "" {
		return nil, &UnlockKeyError{Path: path, Reason: reason, Err: err}
	}
	defer clear(data)
	if err := durable.Settle(path); err != nil {
		return nil, &UnlockKeyError{Path: path, Reason: "may not survive a power cut", Err: err}
	}
	var f unlockFile
	if reason := parseFile(data, unlockFormat, &f); reason != "" {
		return nil, &UnlockKeyError{Path: path, Reason: reason}
	}
	defer clear(f.Key)
	if f.Installation.Valid() != nil {
		return nil, &UnlockKeyError{Path: path, Reason: "does not name its installation"}
	}
	return f.unlockKey(path)
}

// unlockKey is the key of the file, ready to open epochs.
func (f unlockFile) unlockKey(path string) (*UnlockKey, error) {
	if len(f.Key) != unlockKeyLength {
		return nil, &UnlockKeyError{Path: path, Reason: fmt.Sprintf("holds a key of %d bytes: want %d", len(f.Key), unlockKeyLength)}
	}
	aead, err := subtle.NewAESGCM(f.Key)
	if err != nil {
		return nil, &UnlockKeyError{Path: path, Reason: "holds a key that cannot be used", Err: err}
	}
	return &UnlockKey{path: path, installation: f.Installation, id: unlockKeyID(f.Key), created: f.Created, aead: aead}, nil
}

// unlockKeyID is a fingerprint. The key is 32 random bytes, so that its hash
// gives nothing away.
func unlockKeyID(key []byte) string {
	sum := sha256.Sum256(append([]byte("keyledger unlock key ID|"), key...))
	return hex.EncodeToString(sum[:8])
}
