package verify_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/vault"
	"github.com/keyledger/keyledger/services/verify"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	known   events.AccessKeyID = "KLAK0000000000000001"
	unknown events.AccessKeyID = "KLAK0000000000000002"
	secret                     = "kls_the-secret-of-the-known-key-00000000"
)

// A bench is a verifier with one key, and what it was seen to do.
type bench struct {
	key     verify.Key
	fresh   error
	missing error  // of the lookup
	looking func() // called amid the lookup
	claims  []dialect.Claim
	unread  error
	names   events.AccessKeyID // what is not read names it all the same
	// everything has every ID name a key.
	everything bool
	did        []string      // in order
	with       []string      // the secrets that MACs were computed with
	late       time.Duration // how long after noon it is

	lockouts map[string]dialect.Lockout
}

func (b *bench) Name() string { return "TEST" }

func (b *bench) Names(*dialect.Request) string { return string(b.names) }

func (b *bench) Read(*dialect.Request, *dialect.Scratch) ([]dialect.Claim, error) {
	b.did = append(b.did, "read")
	return b.claims, b.unread
}

// claim is signed with a secret at noon.
func (b *bench) claim(id events.AccessKeyID, secret string) dialect.Claim {
	return dialect.Claim{
		Scheme: "TEST", AccessKeyID: string(id), SignedAt: noon, Skew: 5 * time.Minute, Signature: []byte("signed with " + secret),
		Sign: func(_ *dialect.Claim, out, secret []byte) []byte {
			b.did, b.with = append(b.did, "mac"), append(b.with, string(secret))
			return append(append(out, "signed with "...), secret...)
		},
	}
}

func (b *bench) verifier(t *testing.T) *verify.Verifier {
	t.Helper()
	v := openVault(t)
	owner := events.KeyringSubject("123456789012", "123456789012345678")
	sealed, err := v.Seal(owner.Account, known, 1, vault.NewSecret([]byte(secret)))
	if err != nil {
		t.Fatal(err)
	}
	b.key.Owner, b.key.Sealed = owner, sealed
	if b.key.Status == "" {
		b.key.Status = events.StatusActive
	}
	out, err := verify.New(verify.Config{
		Vault: v, Schemes: []dialect.Scheme{b}, Now: func() time.Time { b.did = append(b.did, "clock"); return noon.Add(b.late) },
		Lockouts: b.lockouts,
		Fresh:    func(context.Context) error { b.did = append(b.did, "fresh"); return b.fresh },
		Applied:  func() events.Position { return 7 },
		Lookup: func(id events.AccessKeyID) (verify.Key, bool, error) {
			b.did = append(b.did, "lookup")
			if b.looking != nil {
				b.looking()
			}
			if id != known && b.everything {
				sealed, err := v.Seal(owner.Account, id, 1, vault.NewSecret([]byte(secret)))
				return verify.Key{Owner: owner, Status: events.StatusActive, Sealed: sealed}, true, err
			}
			if id != known {
				return verify.Key{}, false, b.missing
			}
			return b.key, true, b.missing
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func openVault(t testing.TB) *vault.Vault {
	t.Helper()
	data := t.TempDir()
	unlock, err := vault.CreateUnlockKey(filepath.Join(t.TempDir(), "unlock.key"), data, "01a2021a-5fa6-7f1b-98d3-5293d28d26f0", noon, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Create(data, unlock, noon)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerify(t *testing.T) {
	never := []string{"SOMETHING-ELSE"}
	for _, c := range []struct {
		name    string
		arrange func(*bench)
		want    string // the reason; empty if allowed
		genuine bool
		key     events.AccessKeyID
	}{
		{"genuine", func(b *bench) { b.sign(known, secret) }, "", true, known},
		{"genuine, at the end of its window", func(b *bench) { b.sign(known, secret); b.claims[0].SignedAt = noon.Add(-5 * time.Minute) }, "", true, known},
		{"unsigned", func(b *bench) { b.unread = dialect.ErrUnsigned }, verify.Unsigned, false, ""},
		{"no claims", func(*bench) {}, verify.Unsigned, false, ""},
		{"malformed", func(b *bench) { b.unread = &dialect.MalformedError{Code: "missing_date", Detail: "no date"} }, "missing_date", false, ""},
		{"malformed, and names a key", func(b *bench) {
			b.unread, b.names = &dialect.MalformedError{Code: "missing_date", Detail: "no date"}, known
		}, "missing_date", false, known},
		{"malformed, and names an unknown key", func(b *bench) {
			b.unread, b.names = &dialect.MalformedError{Code: "missing_date", Detail: "no date"}, unknown
		}, "missing_date", false, unknown},
		{"malformed, and names no end", func(b *bench) {
			b.unread, b.names = &dialect.MalformedError{Code: "missing_date", Detail: "no date"}, events.AccessKeyID(strings.Repeat("K", 129))
		}, "missing_date", false, ""},
		{"unknown", func(b *bench) { b.sign(unknown, secret) }, verify.UnknownKey, false, unknown},
		{"unknown, signed as the decoy is", func(b *bench) { b.sign(unknown, decoySecret) }, verify.UnknownKey, false, unknown},
		{"the decoy itself", func(b *bench) { b.sign("DECOY-KEY-OF-NOBODY-", decoySecret) }, verify.UnknownKey, false, "DECOY-KEY-OF-NOBODY-"},
		{"badly signed", func(b *bench) { b.sign(known, "another") }, dialect.SignatureMismatch, false, known},
		{"badly signed, too late", func(b *bench) { b.sign(known, "another"); b.claims[0].SignedAt = noon.Add(-time.Hour) }, dialect.RequestExpired, false, known},
		{"unknown, too late", func(b *bench) { b.sign(unknown, secret); b.claims[0].SignedAt = noon.Add(-time.Hour) }, dialect.RequestExpired, false, unknown},
		{"too late", func(b *bench) { b.sign(known, secret); b.claims[0].SignedAt = noon.Add(-time.Hour) }, dialect.RequestExpired, false, known},
		{"too early", func(b *bench) { b.sign(known, secret); b.claims[0].SignedAt = noon.Add(time.Hour) }, dialect.RequestNotYetValid, false, known},
		{"one of two readings holds", func(b *bench) { b.sign(known, "another"); b.claims = append(b.claims, b.claim(known, secret)) }, "", true, known},
		{"a session token", func(b *bench) { b.sign(known, secret); b.claims[0].SessionToken = "x" }, verify.SessionToken, true, known},
		{"disabled", func(b *bench) { b.sign(known, secret); b.key.Status = events.StatusDisabled }, verify.KeyDisabled, true, known},
		{"deleted", func(b *bench) { b.sign(known, secret); b.key.Status = events.StatusDeleted }, verify.KeyDeleted, true, known},
		{"of a status that nobody knows", func(b *bench) { b.sign(known, secret); b.key.Status = "sleeping" }, verify.KeyDeleted, true, known},
		{"disabled, badly signed", func(b *bench) { b.sign(known, "another"); b.key.Status = events.StatusDisabled }, dialect.SignatureMismatch, false, known},
		{"disabled, too late", func(b *bench) {
			b.sign(known, secret)
			b.key.Status, b.claims[0].SignedAt = events.StatusDisabled, noon.Add(-time.Hour)
		}, dialect.RequestExpired, false, known},
		{"a scheme that the policy allows", func(b *bench) { b.sign(known, secret); b.key.Schemes = []string{"OTHER", "TEST"} }, "", true, known},
		{"a scheme that it does not", func(b *bench) { b.sign(known, secret); b.key.Schemes = never }, verify.SchemeNotAllowed, true, known},
		{"disabled, and by such a scheme", func(b *bench) { b.sign(known, secret); b.key.Schemes, b.key.Status = never, events.StatusDisabled }, verify.KeyDisabled, true, known},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{}
			c.arrange(b)
			d, err := b.verifier(t).Verify(t.Context(), &dialect.Request{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Reason != c.want || d.Allowed != (c.want == "") || d.Genuine != c.genuine || d.Key != c.key {
				t.Errorf("got %+v", d)
			}
			if (d.Detail == "") != d.Allowed || strings.Contains(d.Detail, secret) {
				t.Errorf("the detail is %q", d.Detail)
			}
			if c.key == known && (d.Owner != b.key.Owner || d.Status != b.key.Status || d.Position != 7) {
				t.Errorf("of the key it says %+v", d)
			}
			if c.key == unknown && (d.Owner != (events.Subject{}) || d.Status != "" || d.Position != 7) {
				t.Errorf("of an unknown key it says %+v", d)
			}
		})
	}
}

const decoySecret = "a decoy, as long as a real secret is...."

func (b *bench) sign(id events.AccessKeyID, secret string) {
	b.claims = []dialect.Claim{b.claim(id, secret)}
}

// TestFirstReason: a request that fails several checks hears of the first, in the one order
// of checks.
func TestFirstReason(t *testing.T) {
	checks := []struct {
		reason string
		fail   func(*bench)
	}{
		{"missing_date", func(b *bench) { b.unread = &dialect.MalformedError{Code: "missing_date", Detail: "no date"} }},
		{dialect.RequestExpired, func(b *bench) { b.late = time.Hour }},
		{verify.UnknownKey, func(b *bench) { b.claims[0].AccessKeyID = string(unknown) }},
		{dialect.SignatureMismatch, func(b *bench) { b.claims[0].Signature = []byte("forged") }},
		{dialect.Replayed, func(b *bench) { b.claims[0].Nonce = "used" }},
		{verify.KeyDisabled, func(b *bench) { b.key.Status = events.StatusDisabled }},
		{verify.KeyRestricted, func(b *bench) { b.key.Restriction = verify.NoUse }},
		{verify.NetworkPolicy, func(b *bench) { b.key.Networks = []verify.Network{{}} }},
	}
	for first := range checks {
		for second := first; second < len(checks); second++ {
			b := &bench{}
			b.sign(known, secret)
			b.claims[0].Nonce = "used"
			v := b.verifier(t)
			v.Remembered()
			if d, err := v.Verify(t.Context(), &dialect.Request{}); err != nil || !d.Allowed {
				t.Fatalf("before: %+v, %v", d, err)
			}
			v.Forget(known)
			b.claims[0].Nonce = "fresh"
			checks[second].fail(b)
			checks[first].fail(b)
			d, err := v.Verify(t.Context(), &dialect.Request{})
			if err != nil || d.Allowed || d.Reason != checks[first].reason {
				t.Errorf("%s and %s: got %+v, %v", checks[first].reason, checks[second].reason, d, err)
			}
			if genuine := first > 4; d.Genuine != genuine || d.Restricted && !genuine || (d.Network != nil) != (d.Reason == verify.NetworkPolicy) {
				t.Errorf("%s and %s: it says %+v", checks[first].reason, checks[second].reason, d)
			}
		}
	}
}

// TestRestriction: what a restricted key is refused, and who is told that it is one.
func TestRestriction(t *testing.T) {
	for _, c := range []struct {
		name       string
		policy     string // the action of the account's
		restricted bool
		managing   bool // the request is one to the ledger
		secret     string
		want       string
		told       bool
	}{
		{"not restricted, managing", "deny-all", false, true, secret, "", false},
		{"not restricted", "deny-management", false, false, secret, "", false},
		{"managing", "deny-all", true, true, secret, verify.KeyRestricted, true},
		{"using", "deny-all", true, false, secret, verify.KeyRestricted, true},
		{"using, badly signed", "deny-all", true, false, "another", dialect.SignatureMismatch, false},
		{"managing, where only that is denied", "deny-management", true, true, secret, verify.KeyRestricted, true},
		{"using, where that is not denied", "deny-management", true, false, secret, "", true},
		{"using, where that is not denied, badly signed", "deny-management", true, false, "another", dialect.SignatureMismatch, false},
		{"using, under a policy from before there was the rule", "", true, false, secret, verify.KeyRestricted, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bench{}
			if c.restricted {
				b.key.Restriction = verify.RestrictionOf(events.Policy{Leak: events.LeakRule{Action: c.policy}})
			}
			b.sign(known, c.secret)
			v := b.verifier(t)
			ask := func(r *dialect.Request) (verify.Decision, error) {
				return v.VerifyFor(t.Context(), r, func(events.Subject) bool { return true })
			}
			if c.managing {
				ask = func(r *dialect.Request) (verify.Decision, error) { return v.Verify(t.Context(), r) }
			}
			d, err := ask(&dialect.Request{})
			if err != nil || d.Reason != c.want || d.Allowed != (c.want == "") || d.Restricted != c.told {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
}

// TestOrder: what is done, and in which order, is the same for every key and
// every signature. Out of time no signature is looked at, of whatever key.
func TestOrder(t *testing.T) {
	want := []string{"fresh", "read", "clock", "lookup", "mac"}
	for name, arrange := range map[string]func(*bench){
		"genuine":                func(b *bench) { b.sign(known, secret) },
		"badly signed":           func(b *bench) { b.sign(known, "another") },
		"unknown":                func(b *bench) { b.sign(unknown, secret) },
		"disabled":               func(b *bench) { b.sign(known, secret); b.key.Status = events.StatusDisabled },
		"disabled, badly signed": func(b *bench) { b.sign(known, "another"); b.key.Status = events.StatusDisabled },
		"restricted":             func(b *bench) { b.sign(known, secret); b.key.Restriction = verify.NoUse },
	} {
		b := &bench{}
		arrange(b)
		if _, err := b.verifier(t).Verify(t.Context(), &dialect.Request{}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.did, want) {
			t.Errorf("%s: did %v, want %v", name, b.did, want)
		}
		if len(b.with) != 1 || len(b.with[0]) != len(secret) {
			t.Errorf("%s: the MAC was computed with %q", name, b.with)
		}
	}
	for name, c := range map[string]struct {
		arrange func(*bench)
		did     []string
	}{
		"too late":               {func(b *bench) { b.sign(known, secret); b.late = time.Hour }, want[:4]},
		"too late, badly signed": {func(b *bench) { b.sign(known, "another"); b.late = time.Hour }, want[:4]},
		"too late, unknown":      {func(b *bench) { b.sign(unknown, secret); b.late = time.Hour }, want[:4]},
		"behind the log":         {func(b *bench) { b.sign(known, secret); b.fresh = verify.ErrStale }, want[:1]},
		"unsigned":               {func(b *bench) { b.unread = dialect.ErrUnsigned }, want[:2]},
	} {
		b := &bench{}
		c.arrange(b)
		d, err := b.verifier(t).Verify(t.Context(), &dialect.Request{})
		if !errors.Is(err, b.fresh) || d.Allowed || !slices.Equal(b.did, c.did) {
			t.Errorf("%s: %+v, %v after %v", name, d, err, b.did)
		}
	}
}

// TestFaults: what cannot be known is an error, never a decision.
func TestFaults(t *testing.T) {
	broken := errors.New("broken")
	for name, arrange := range map[string]func(*bench){
		"behind the log":               func(b *bench) { b.fresh = verify.ErrStale },
		"freshness cannot be known":    func(b *bench) { b.fresh = broken },
		"the lookup fails":             func(b *bench) { b.missing = broken },
		"the lookup of nothing fails":  func(b *bench) { b.missing = broken; b.sign(unknown, secret) },
		"a scheme fails":               func(b *bench) { b.unread = broken },
		"the secret of another's key":  func(b *bench) { b.sign(known, secret) },
		"the secret that is not there": func(b *bench) { b.sign(known, secret) },
	} {
		b := &bench{}
		b.sign(known, secret)
		arrange(b)
		v := b.verifier(t)
		switch name {
		case "the secret of another's key":
			b.key.Owner.Account = "999999999999"
		case "the secret that is not there":
			b.key.Sealed = events.Sealed{}
		}
		if d, err := v.Verify(t.Context(), &dialect.Request{}); err == nil || d.Allowed || d.Genuine {
			t.Errorf("%s: got %+v, %v", name, d, err)
		}
	}
}
