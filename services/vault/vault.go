// Package vault keeps the secrets of access keys: it seals a secret when its key
// is created and opens it when a signature has to be checked.
//
// Three keys stand over each other. The unlock key, a file outside the data
// directory, opens the epoch keys; an epoch key, a file inside it, opens data keys; a
// data key, fresh for each secret and kept beside it, opens that one secret.
// Only the first two are ever destroyed: without its epoch, a sealed secret
// stays shut wherever copies of it lie.
//
// The way in: [CreateUnlockKey] and [Create] at the first start, [OpenUnlockKey] and
// [Open] at every other; then [Vault.Seal], [Vault.Open], and [Vault.Check] over
// all that is stored. A [Secret] prints as "[secret]" every way Go can print.
// [HardenProcess] keeps secrets out of core dumps.
//
// The limits: it stores no sealed secret and knows no key's status; whoever asks
// decides whether a secret may be used. Randomness for data keys, nonces and epoch
// keys comes from crypto/rand, where Tink takes it: it cannot be passed in. Only
// the unlock key's can. The formats are in docs/format/key-files.md.
package vault

import (
	"fmt"
	"log/slog"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// A Vault seals and opens the secrets of one installation. It never changes
// once it is open, and may be used by many goroutines at once.
type Vault struct {
	installation InstallationID
	epochs       map[uint32]tink.AEAD
	current      uint32 // seals what is new; the highest of epochs
}

// Installation says whose vault it is.
func (v *Vault) Installation() InstallationID { return v.installation }

// Epoch is the current epoch: the one that wraps new data keys. The first is 1.
func (v *Vault) Epoch() uint32 { return v.current }

func (v *Vault) String() string             { return fmt.Sprintf("[vault of %s]", v.installation) }
func (v *Vault) GoString() string           { return v.String() }
func (v *Vault) LogValue() slog.Value       { return slog.StringValue(v.String()) }
func (v *Vault) Format(f fmt.State, _ rune) { fmt.Fprint(f, v.String()) }
