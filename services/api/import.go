package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/vault"
)

// importKeyInput has no bounds in its schema: what is wrong with a secret is said by one
// place, which never quotes it.
type importKeyInput struct {
	AccountInput
	UserID string `path:"user_id" pattern:"^[1-9][0-9]{17}$"`
	Body   struct {
		AccessKeyID     string `json:"access_key_id" doc:"as it is elsewhere: 3 to 128 letters, digits, '-' or '_', not beginning with KLAK"`
		SecretAccessKey string `json:"secret_access_key" doc:"as it is elsewhere: 1 to 256 printable ASCII characters; it is never shown again"`
		Description     string `json:"description,omitempty" doc:"at most 256 characters on one line"`
		Status          string `json:"status,omitempty" enum:"active,disabled" doc:"active if left out; a key that comes disabled needs the room of an active one"`
	}
}

type importedKey struct {
	AccessKeyID string     `json:"access_key_id"`
	UserID      string     `json:"user_id"`
	AccountID   string     `json:"account_id"`
	Status      string     `json:"status" doc:"as it was imported"`
	Description string     `json:"description"`
	CreatedAt   *time.Time `json:"created_at" doc:"when it was imported"`
	Warnings    []string   `json:"warnings,omitempty" doc:"names of rules that would rather not"`
	Repeated    bool       `json:"repeated" doc:"an earlier sending of this request had imported it"`
}

func (s *server) importKey(ctx context.Context, in *importKeyInput) (*written[importedKey], error) {
	u, err := s.userOrRepeat(ctx, permission.KeyWrite, in.AccountInput, in.UserID, func(u User) events.Subject { return events.KeyringSubject(u.Account, u.ID) })
	if err != nil {
		return nil, err
	}
	owner := events.KeyringSubject(u.Account, u.ID)
	secret := vault.NewSecret([]byte(in.Body.SecretAccessKey))
	defer secret.Clear()
	req := inboundOf(ctx).request
	req.Digest = in.digest(owner)
	k, err := s.Ledger.ImportKey(ctx, req, owner, ledger.Import{
		NewKey:      ledger.NewKey{ID: events.AccessKeyID(in.Body.AccessKeyID), Secret: secret},
		Description: in.Body.Description, Disabled: in.Body.Status == events.StatusDisabled,
	})
	if err != nil {
		return nil, err
	}
	return &written[importedKey]{Position: uint64(k.Position), Body: importedKey{
		AccessKeyID: string(k.Key), UserID: string(u.ID), AccountID: string(u.Account), Status: k.Status,
		Description: k.Description, CreatedAt: instant(k.CreatedAt), Warnings: k.Warnings, Repeated: k.Repeated,
	}}, nil
}

// digest is what the request ID of an import stands for. It stays in the log for ever, so
// that nothing of the secret may be in it: somebody could tell by it whether he has
// guessed a weak one. That a repeat brings the same secret, the ledger sees to.
func (in *importKeyInput) digest(owner events.Subject) string {
	asked, err := json.Marshal([]string{
		"import", owner.String(), in.Body.AccessKeyID, in.Body.Description, in.Body.Status,
	})
	if err != nil {
		panic("api: strings that are not JSON: " + err.Error())
	}
	sum := sha256.Sum256(asked)
	return hex.EncodeToString(sum[:])
}
