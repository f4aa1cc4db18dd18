package verify_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/verify"
)

// TestDecisionsHoldNoScratch: what a decision says is the same long after, when the memory that its request was read into
// has been given to others by many goroutines: an access record and an answer are made from it. Under the race detector
// whoever held on to that memory would be caught reading what another writes.
func TestDecisionsHoldNoScratch(t *testing.T) {
	vlt := openVault(t)
	var all sync.WaitGroup
	for _, d := range builtin.All() {
		for i, entry := range dialecttest.Load(t, filepath.Join("../dialect", d.Name, "testdata/vectors")) {
			if i%3 != 0 || len(entry.Body) > 4096 { // opening the vault for each of them takes long
				continue
			}
			verifier := verifierOf(t, vlt, entry)
			all.Go(func() {
				var decisions []verify.Decision
				var said []string
				for range 8 {
					got, err := verifier.Verify(t.Context(), entry.Request())
					if err != nil {
						t.Errorf("%s: %v", entry.Name, err)
						return
					}
					decisions, said = append(decisions, got), append(said, strings.Clone(saidBy(got)))
				}
				wantReadAlone(t, entry.Name, entry.Request(), decisions[0])
				for i, got := range decisions {
					if text := saidBy(got); text != said[i] {
						t.Errorf("%s: the decision said\n%s\nand says\n%s", entry.Name, said[i], text)
					}
				}
			})
		}
	}
	all.Wait()
}

// saidBy is everything that a decision says.
func saidBy(d verify.Decision) string {
	return fmt.Sprintf("%+v %+v %+v %+v", d, d.Malformed, d.Refused, d.Network)
}

// wantReadAlone wants the claim of a decision to be one that is read from its request in memory of its own, but for what is
// not to be kept of it.
func wantReadAlone(t *testing.T, name string, r *dialect.Request, d verify.Decision) {
	t.Helper()
	if c := d.Claim; c.Signature != nil || c.Sign != nil || c.CanonicalRequest != nil || c.StringToSign != nil {
		t.Errorf("%s: the decision holds bytes of its request: %+v", name, c)
	}
	claims, err := dialect.Read(r, builtin.Schemes())
	if err != nil {
		return
	}
	for i := range claims {
		if claims[i].Detach(); reflect.DeepEqual(claims[i], d.Claim) {
			return
		}
	}
	t.Errorf("%s: the claim decided about is %+v, and what is read is %+v", name, d.Claim, claims)
}
