package policy

import (
	"cmp"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// Bounds of a network policy.
const (
	maxNetworkStatements = 8
	maxNetworkAddresses  = 50 // of one statement
)

// CheckNetwork returns the refusal, of the rule "network_policy.invalid", that the first
// wrong thing in a network policy deserves, or nil.
func CheckNetwork(p events.NetworkPolicy) error {
	switch {
	case p.Status != events.NetworkActive && p.Status != events.NetworkInactive:
		return badNetwork("the status is %q; want active or inactive", p.Status)
	case len(p.Statements) > maxNetworkStatements:
		return badNetwork("there are %d statements; want at most %d", len(p.Statements), maxNetworkStatements)
	case p.Status == events.NetworkActive && len(p.Statements) == 0:
		return badNetwork("an active policy without statements would allow nobody; name what is allowed, or set it inactive")
	}
	for i, s := range p.Statements {
		if err := checkStatement(i+1, s); err != nil {
			return err
		}
	}
	return nil
}

var vpcID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func checkStatement(n int, s events.NetworkStatement) error {
	switch {
	case s.Type != events.NetworkAddress && s.Type != events.NetworkVPC:
		return badNetwork("statement %d: the type is %q; want address or vpc", n, s.Type)
	case s.Type == events.NetworkAddress && s.VPC != "":
		return badNetwork("statement %d: a statement of type address names no VPC; leave vpc out, or make the type vpc", n)
	case s.Type == events.NetworkVPC && !vpcID.MatchString(s.VPC):
		return badNetwork("statement %d: the VPC is %q; want its ID (1 to 64 of letters, digits and . _ -), or %s", n, s.VPC, events.NetworkAnyVPC)
	case len(s.Addresses) < 1 || len(s.Addresses) > maxNetworkAddresses:
		return badNetwork("statement %d has %d addresses; want 1 to %d", n, len(s.Addresses), maxNetworkAddresses)
	}
	for _, text := range s.Addresses {
		if _, problem := prefix(text); problem != "" {
			return badNetwork("statement %d: the address %q %s", n, text, problem)
		}
	}
	return nil
}

func badNetwork(format string, args ...any) error {
	return aggregate.Refuse(aggregate.Invalid, "network_policy.invalid", format, args...)
}

// maxAddress is as long as an IPv6 prefix can be.
const maxAddress = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128")

// prefix is what an address or a CIDR prefix stands for, or what is wrong with it.
func prefix(text string) (p netip.Prefix, problem string) {
	const want = "is none; want an IPv4 or IPv6 address or CIDR prefix, such as 192.0.2.7, 198.51.100.0/24 or 2001:db8::/32"
	if len(text) > maxAddress {
		return p, want
	}
	p, err := parsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, want
	case p.Addr().Is4In6():
		return netip.Prefix{}, "is IPv4 written as IPv6; want the IPv4 form"
	case p != p.Masked():
		return netip.Prefix{}, "has bits set behind the prefix; want " + p.Masked().String()
	}
	return p, ""
}

func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	a, err := netip.ParseAddr(text)
	if a.Zone() != "" {
		return netip.Prefix{}, errors.New("a zone is known to one machine only")
	}
	return netip.PrefixFrom(a, a.BitLen()), err
}

// Sources is where an active network policy lets requests come from; active is false if
// it lets them come from everywhere. No request says which VPC it came through, so that a
// statement on a certain VPC allows nothing, and one on any VPC goes by the address.
func Sources(p events.NetworkPolicy) (from []netip.Prefix, active bool) {
	if p.Status != events.NetworkActive {
		return nil, false
	}
	for _, s := range p.Statements {
		if s.Type == events.NetworkVPC && s.VPC != events.NetworkAnyVPC {
			continue
		}
		for _, text := range s.Addresses {
			if p, problem := prefix(text); problem == "" {
				from = append(from, p)
			}
		}
	}
	return from, true
}

// NetworkReplaces says whether a key's own active network policy is asked instead of the
// account's, not besides it.
func NetworkReplaces(p events.Policy) bool { return p.Network.Precedence != NetworkIntersect }

// KeptNetwork is a network policy in the one form in which the log gives it back, which
// shares nothing with p. Never to have set one is to have set an inactive one without
// statements.
func KeptNetwork(p events.NetworkPolicy) events.NetworkPolicy {
	kept := events.NetworkPolicy{Status: cmp.Or(p.Status, events.NetworkInactive)}
	for _, s := range p.Statements {
		s.Addresses = slices.Clone(s.Addresses)
		kept.Statements = append(kept.Statements, s)
	}
	return kept
}
