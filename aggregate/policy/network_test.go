package policy_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// allowing is an active policy of one statement on addresses.
func allowing(addresses ...string) events.NetworkPolicy {
	return events.NetworkPolicy{Status: events.NetworkActive, Statements: []events.NetworkStatement{{Type: events.NetworkAddress, Addresses: addresses}}}
}

func TestNetworkPoliciesAreBounded(t *testing.T) {
	one := allowing("192.0.2.1").Statements[0]
	for want, p := range map[string]events.NetworkPolicy{
		"":                            allowing("192.0.2.1", "198.51.100.0/24", "2001:db8::/32", "::1", "0.0.0.0/0", "::/0"),
		`the status is ""`:            {},
		`the status is "Active"`:      {Status: "Active"},
		"without statements":          {Status: events.NetworkActive},
		"9 statements":                {Status: events.NetworkInactive, Statements: slices.Repeat([]events.NetworkStatement{one}, 9)},
		`the type is "ip"`:            {Status: events.NetworkInactive, Statements: []events.NetworkStatement{{Type: "ip", Addresses: one.Addresses}}},
		"names no VPC":                {Status: events.NetworkInactive, Statements: []events.NetworkStatement{{Type: events.NetworkAddress, VPC: "vpc-1", Addresses: one.Addresses}}},
		`the VPC is ""`:               {Status: events.NetworkInactive, Statements: []events.NetworkStatement{one, {Type: events.NetworkVPC, Addresses: one.Addresses}}},
		"statement 1 has 0 addresses": allowing(),
		"statement 1 has 51":          allowing(slices.Repeat(one.Addresses, 51)...),
		`"" is none`:                  allowing(""),
		`"192.0.2.1/33" is none`:      allowing("192.0.2.1/33"),
		`"fe80::1%eth0" is none`:      allowing("fe80::1%eth0"),
		"want 10.0.0.0/8":             allowing("10.1.2.3/8"),
		"want the IPv4 form":          allowing("::ffff:10.0.0.1"),
		`" 10.0.0.1" is none`:         allowing(" 10.0.0.1"),
	} {
		err := policy.CheckNetwork(p)
		var refused *aggregate.Refusal
		switch {
		case want == "" && err != nil:
			t.Errorf("got %v, want none", err)
		case want != "" && (!errors.As(err, &refused) || refused.Rule != "network_policy.invalid" || !strings.Contains(refused.Detail, want)):
			t.Errorf("got %v, want one of %q", err, want)
		}
	}
}

func TestSources(t *testing.T) {
	p := allowing("192.0.2.1", "2001:db8::/32")
	p.Statements = append(p.Statements,
		events.NetworkStatement{Type: events.NetworkVPC, VPC: "vpc-1", Addresses: []string{"10.0.0.0/8"}},
		events.NetworkStatement{Type: events.NetworkVPC, VPC: events.NetworkAnyVPC, Addresses: []string{"172.16.0.0/12"}})
	from, active := policy.Sources(p)
	if got := fmt.Sprint(from, active); got != "[192.0.2.1/32 2001:db8::/32 172.16.0.0/12] true" {
		t.Errorf("got %s", got)
	}
	p.Status = events.NetworkInactive
	if from, active := policy.Sources(p); active || from != nil {
		t.Errorf("inactive: got %v, %v", from, active)
	}
}

// FuzzNetworkAddress: addresses come from outside. One that is taken says what it
// stands for, in one spelling of its bits.
func FuzzNetworkAddress(f *testing.F) {
	for _, text := range []string{"192.0.2.1", "198.51.100.0/24", "2001:db8::/32", "::ffff:10.0.0.1", "fe80::1%eth0", "10.1.2.3/8", "/", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := allowing(text)
		if policy.CheckNetwork(p) != nil {
			return
		}
		from, active := policy.Sources(p)
		if !active || len(from) != 1 || from[0] != from[0].Masked() || from[0].Addr().Zone() != "" {
			t.Fatalf("%q: got %v, %v", text, from, active)
		}
		if again, err := netip.ParsePrefix(from[0].String()); err != nil || again != from[0] {
			t.Fatalf("%q: got %v, %v, want %v", text, again, err, from[0])
		}
	})
}
