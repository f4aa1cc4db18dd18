package verify_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
	"github.com/keyledger/keyledger/services/vault"
	"github.com/keyledger/keyledger/services/verify"
)

// unread are the reasons of what no scheme reads yet; the vendor's own test names each such entry.
var unread = []string{verify.Unsigned, "unsupported_payload"}

// TestVectors: each captured request of each vendor's clients, asked about at its own time and with its own
// secret sealed in the vault, is decided rightly. There are no temporary credentials here, however genuine.
func TestVectors(t *testing.T) {
	v := openVault(t)
	for _, d := range builtin.All() {
		t.Run(d.Name, func(t *testing.T) {
			decided := 0
			for _, entry := range dialecttest.Load(t, filepath.Join("../dialect", d.Name, "testdata/vectors")) {
				verifier := verifierOf(t, v, entry)
				got, err := verifier.Verify(t.Context(), entry.Request())
				switch {
				case err != nil:
					t.Errorf("%s: %v", entry.Name, err)
				case slices.Contains(unread, got.Reason):
				case got.Genuine != entry.Valid:
					t.Errorf("%s: got %+v, want genuine: %t", entry.Name, got, entry.Valid)
				case got.Allowed != (entry.Valid && got.Claim.SessionToken == ""):
					t.Errorf("%s: allowed is %t: %s", entry.Name, got.Allowed, got.Reason)
				default:
					decided++
				}
				if got.Allowed && got.Claim.Nonce != "" {
					if again, err := verifier.Verify(t.Context(), entry.Request()); err != nil || again.Reason != dialect.Replayed {
						t.Errorf("%s, asked about again: %+v, %v", entry.Name, again, err)
					}
				}
			}
			if decided == 0 {
				t.Error("none was decided")
			}
		})
	}
}

// TestNames: each captured request, with something wrong in its query, goes on the record of the key that it names.
func TestNames(t *testing.T) {
	v := openVault(t)
	for _, d := range builtin.All() {
		t.Run(d.Name, func(t *testing.T) {
			named := map[string]bool{}
			for _, entry := range dialecttest.Load(t, filepath.Join("../dialect", d.Name, "testdata/vectors")) {
				r := entry.Request()
				claims, err := dialect.Read(r, builtin.Schemes())
				if err != nil {
					continue
				}
				r = entry.Request()
				spoil(r)
				got, err := verifierOf(t, v, entry).Verify(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if got.Malformed == nil {
					t.Errorf("%s: got %+v, want it to be malformed", entry.Name, got)
				}
				if string(got.Key) != claims[0].AccessKeyID || got.Claim.Scheme != claims[0].Scheme || entry.AccessKeyID == claims[0].AccessKeyID && got.Owner.Account == "" {
					t.Errorf("%s: got the key %q of %v, scheme %q; want %q, %q", entry.Name, got.Key, got.Owner, got.Claim.Scheme, claims[0].AccessKeyID, claims[0].Scheme)
				}
				named[got.Claim.Scheme] = true
			}
			for _, s := range d.Schemes {
				if !named[s.Name()] {
					t.Errorf("no request of %s was there", s.Name())
				}
			}
		})
	}
}

// spoil makes a request malformed, whatever its scheme: its target is no path any more.
func spoil(r *dialect.Request) { r.Target = "*" + r.Target }

// verifierOf makes a verifier that knows one entry's key, at that entry's time.
func verifierOf(t *testing.T, v *vault.Vault, entry vector.Vector) *verify.Verifier {
	t.Helper()
	owner, id := events.KeyringSubject("123456789012", "123456789012345678"), events.AccessKeyID(entry.AccessKeyID)
	sealed, err := v.Seal(owner.Account, id, 1, vault.NewSecret([]byte(entry.Secret)))
	if err != nil {
		t.Fatal(err)
	}
	out, err := verify.New(verify.Config{
		Vault: v, Schemes: builtin.Schemes(), Now: entry.At,
		Fresh:   func(context.Context) error { return nil },
		Applied: func() events.Position { return 7 },
		Lookup: func(asked events.AccessKeyID) (verify.Key, bool, error) {
			return verify.Key{Owner: owner, Status: events.StatusActive, Sealed: sealed}, asked == id, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	out.Remembered()
	return out
}
