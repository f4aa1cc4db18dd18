package verify_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/verify"
)

func from(status string, addresses ...string) events.NetworkPolicy {
	return events.NetworkPolicy{Status: status, Statements: []events.NetworkStatement{{Type: events.NetworkAddress, Addresses: addresses}}}
}

// TestNetworks: which of the account's and the key's own policies has a say.
func TestNetworks(t *testing.T) {
	const active, inactive = events.NetworkActive, events.NetworkInactive
	office, home := "192.0.2.0/24", "2001:db8::/32"
	vpc := events.NetworkPolicy{Status: active, Statements: []events.NetworkStatement{{Type: events.NetworkVPC, VPC: "vpc-1", Addresses: []string{office}}}}
	for name, c := range map[string]struct {
		precedence   string
		account, key events.NetworkPolicy
		want         map[string]string // by source: "", "account" or "key", whose denied it
	}{
		"none":                  {"", events.NetworkPolicy{}, events.NetworkPolicy{}, map[string]string{"192.0.2.7": "", "": ""}},
		"the account's":         {"replace", from(active, office), events.NetworkPolicy{}, map[string]string{"192.0.2.7": "", "2001:db8::1": "account", "": "account"}},
		"inactive":              {"replace", from(inactive, office), from(inactive, office), map[string]string{"2001:db8::1": "", "": ""}},
		"the key's alone":       {"replace", events.NetworkPolicy{}, from(active, home), map[string]string{"2001:db8::1": "", "192.0.2.7": "key", "": "key"}},
		"the key's instead":     {"replace", from(active, office), from(active, home), map[string]string{"2001:db8::1": "", "192.0.2.7": "key"}},
		"from before the field": {"", from(active, office), from(active, home), map[string]string{"2001:db8::1": "", "192.0.2.7": "key"}},
		"both":                  {"intersect", from(active, office), from(active, home, "192.0.2.8"), map[string]string{"192.0.2.8": "", "2001:db8::1": "account", "192.0.2.7": "key"}},
		"an inactive one of the key replaces nothing": {"replace", from(active, office), from(inactive, home), map[string]string{"192.0.2.7": "", "2001:db8::1": "account"}},
		"a VPC that nobody can have come through":     {"replace", events.NetworkPolicy{}, vpc, map[string]string{"192.0.2.7": "key"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := events.Policy{Network: events.NetworkRule{Precedence: c.precedence}}
			b := &bench{key: verify.Key{Networks: verify.NetworksOf(p, c.account, c.key)}}
			b.sign(known, secret)
			v := b.verifier(t)
			for source, whose := range c.want {
				r := &dialect.Request{}
				if source != "" {
					r.Source = netip.MustParseAddr(source)
				}
				d, err := v.Verify(t.Context(), r)
				if err != nil {
					t.Fatal(err)
				}
				if whose == "" {
					if !d.Allowed || d.Network != nil {
						t.Errorf("from %q: got %+v, want it to be allowed", source, d)
					}
					continue
				}
				if d.Allowed || !d.Genuine || d.Reason != verify.NetworkPolicy || d.Network == nil || d.Network.Key != (whose == "key") {
					t.Errorf("from %q: got %+v, want the %s's network policy to deny it", source, d, whose)
				}
				if strings.Contains(d.Detail, "not known") != (source == "") {
					t.Errorf("from %q: the detail is %q", source, d.Detail)
				}
			}
		})
	}
}

// The key's state is looked at before, so that a disabled key says so from wherever.
func TestStateBeforeNetwork(t *testing.T) {
	b := &bench{key: verify.Key{Status: events.StatusDisabled, Networks: []verify.Network{{}}}}
	b.sign(known, secret)
	if d, err := b.verifier(t).Verify(t.Context(), &dialect.Request{}); err != nil || d.Reason != verify.KeyDisabled || d.Network != nil {
		t.Errorf("got %+v, %v", d, err)
	}
	b = &bench{key: verify.Key{Networks: []verify.Network{{}}}}
	b.sign(known, "another")
	if d, err := b.verifier(t).Verify(t.Context(), &dialect.Request{}); err != nil || d.Reason != dialect.SignatureMismatch || d.Network != nil {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Looking at where a request came from costs no memory beyond what the rest does.
func TestNetworksAllocateNothing(t *testing.T) {
	allocations := func(networks []verify.Network, source netip.Addr) float64 {
		b := &bench{key: verify.Key{Networks: networks}}
		b.sign(known, secret)
		v := b.verifier(t)
		r := &dialect.Request{Source: source}
		return testing.AllocsPerRun(100, func() {
			b.did, b.with = b.did[:0], b.with[:0]
			if _, err := v.Verify(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		})
	}
	eight := from(events.NetworkActive, "192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")
	for range 7 {
		eight.Statements = append(eight.Statements, eight.Statements[0])
	}
	source := netip.MustParseAddr("2001:db8::1")
	without := allocations(nil, source)
	if with := allocations(verify.NetworksOf(events.Policy{Network: events.NetworkRule{Precedence: "intersect"}}, eight, eight), source); with > without {
		t.Errorf("%v allocations with network policies, %v without", with, without)
	}
}
