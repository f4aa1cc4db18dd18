package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/keyledger/keyledger/events"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
)

const (
	layout        = 1    // of events.Sealed
	dataKeyLength = 32   // bytes; AES-256-GCM
	maxSecret     = 1024 // bytes
)

// ErrSealed says that a sealed secret does not open: it is damaged, or it is not
// the one of that key, version or installation.
var ErrSealed = errors.New("vault: the sealed secret does not open")

// An UnknownEpochError says that the epoch key that a secret needs is not here:
// it was destroyed, as purging does, or never belonged to this installation.
type UnknownEpochError struct {
	Key   events.AccessKeyID
	Epoch uint32
}

func (e *UnknownEpochError) Error() string {
	return fmt.Sprintf("vault: the secret of %s needs the key of epoch %d, which is not here", e.Key, e.Epoch)
}

// Seal seals a secret of 1 to 1024 bytes under a data key of its own, and that
// under the current epoch. The result opens for this account, key and version
// (from 1) only. An error means that one of them is not valid.
func (v *Vault) Seal(account events.AccountID, key events.AccessKeyID, version int, secret Secret) (events.Sealed, error) {
	if err := sealable(account, key, version, secret); err != nil {
		return events.Sealed{}, fmt.Errorf("vault: seal: %w", err)
	}
	dataKey := make([]byte, dataKeyLength)
	defer clear(dataKey)
	rand.Read(dataKey) // never fails
	s := events.Sealed{Layout: layout, Version: version, Epoch: v.current}
	b := v.binding(account, key, s)
	var err error
	if s.Ciphertext, err = encrypt(dataKey, secret.Reveal(), b.secret()); err != nil {
		return events.Sealed{}, fmt.Errorf("vault: seal: %w", err)
	}
	if s.WrappedKey, err = v.epochs[v.current].Encrypt(dataKey, b.dataKey(s.Ciphertext)); err != nil {
		return events.Sealed{}, fmt.Errorf("vault: seal: %w", err)
	}
	return s, nil
}

func sealable(account events.AccountID, key events.AccessKeyID, version int, secret Secret) error {
	if err := account.Valid(); err != nil {
		return err
	}
	if err := key.Valid(); err != nil {
		return err
	}
	if version < 1 {
		return fmt.Errorf("version %d: want 1 or more", version)
	}
	if n := len(secret.Reveal()); n < 1 || n > maxSecret {
		return fmt.Errorf("a secret of %d bytes: want 1 to %d", n, maxSecret)
	}
	return nil
}

// Open opens the secret that Seal sealed for the same account and key. The error
// is an *UnknownEpochError, or wraps ErrSealed. Clear the secret after use.
func (v *Vault) Open(account events.AccountID, key events.AccessKeyID, s events.Sealed) (Secret, error) {
	if s.Layout != layout {
		return Secret{}, fmt.Errorf("%w: %s: its layout is %d, this build knows %d", ErrSealed, key, s.Layout, layout)
	}
	epoch, ok := v.epochs[s.Epoch]
	if !ok {
		return Secret{}, &UnknownEpochError{Key: key, Epoch: s.Epoch}
	}
	b := v.binding(account, key, s)
	dataKey, err := epoch.Decrypt(s.WrappedKey, b.dataKey(s.Ciphertext))
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %s: the data key is not the one of this ciphertext, key, version and epoch", ErrSealed, key)
	}
	defer clear(dataKey)
	secret, err := decrypt(dataKey, s.Ciphertext, b.secret())
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %s: the ciphertext is not the one of this data key", ErrSealed, key)
	}
	return NewSecret(secret), nil
}

func encrypt(dataKey, secret, associatedData []byte) ([]byte, error) {
	c, err := subtle.NewAESGCM(dataKey)
	if err != nil {
		return nil, err
	}
	return c.Encrypt(secret, associatedData)
}

func decrypt(dataKey, ciphertext, associatedData []byte) ([]byte, error) {
	c, err := subtle.NewAESGCM(dataKey)
	if err != nil {
		return nil, err
	}
	return c.Decrypt(ciphertext, associatedData)
}

// A binding is what a sealed secret belongs to. Its text is the associated data
// of what was sealed; the parts are told apart by '|', which none of them can
// hold.
type binding struct {
	installation InstallationID
	account      events.AccountID
	key          events.AccessKeyID
	version      int
	epoch        uint32
}

func (v *Vault) binding(account events.AccountID, key events.AccessKeyID, s events.Sealed) binding {
	return binding{installation: v.installation, account: account, key: key, version: s.Version, epoch: s.Epoch}
}

// secret is the associated data of the ciphertext.
func (b binding) secret() []byte { return append(b.begin(), "secret"...) }

// dataKey is the associated data of the wrapped data key.
func (b binding) dataKey(ciphertext []byte) []byte {
	sum := sha256.Sum256(ciphertext)
	out := append(b.begin(), "data key|"...)
	out = strconv.AppendUint(out, uint64(b.epoch), 10)
	return hex.AppendEncode(append(out, '|'), sum[:])
}

// begin is what both begin with: the layout, and whose secret it is.
func (b binding) begin() []byte {
	out := make([]byte, 0, 256)
	out = append(strconv.AppendInt(out, layout, 10), '|')
	out = append(append(out, b.installation...), '|')
	out = append(append(out, b.account...), '|')
	out = append(append(out, b.key...), '|')
	return append(strconv.AppendInt(out, int64(b.version), 10), '|')
}
