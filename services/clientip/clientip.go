// Package clientip says which address a request came from when proxies that the
// operator trusts stand in between.
//
// The way in is [Parse], which reads the operator's list of proxies, and
// [Proxies.Client] or [Proxies.Behind]. [Source] is what requests are counted by.
//
// The limits: a list names networks, not machines. Whatever sends from a network on the
// list can name any address as its client's; the list has to hold proxies only.
package clientip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the proxies that are trusted to say for whom they
// ask. The zero value trusts nobody.
type Proxies struct{ networks []netip.Prefix }

// Parse reads a list of networks ("10.0.0.0/8", "2001:db8::/32") and single addresses. The
// error is a sentence that names what cannot stand in the list, and what could.
func Parse(list []string) (Proxies, error) {
	var p Proxies
	for _, text := range list {
		network, err := parse(strings.TrimSpace(text))
		if err != nil {
			return Proxies{}, err
		}
		p.networks = append(p.networks, network)
	}
	return p, nil
}

func parse(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return network, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or 2001:db8::/32, nor an address", text)
	case network.Addr().Is4In6():
		return network, fmt.Errorf("%q is an IPv4 network written as IPv6: write it as IPv4, such as 10.0.0.0/8", text)
	case network.Bits() == 0:
		return network, fmt.Errorf("%q is everybody, so that any client could name an address of its own: name the proxies' networks", text)
	case network != network.Masked():
		return network, fmt.Errorf("%q has bits beyond its length: did you mean %s, or the address alone?", text, network.Masked())
	}
	return network, nil
}

// trusts says whether an address is a trusted proxy's.
func (p Proxies) trusts(ip netip.Addr) bool {
	ip = ip.Unmap()
	return slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// Client is who is behind a peer: the peer itself unless it is a trusted proxy, else
// the rightmost address in the lines of its X-Forwarded-For that is none. What stands
// left of that, or of an entry that is no address, anybody may have written: it is not
// looked at, and the last address before it is the answer. A peer that is not
// known (the zero Addr) has no client.
func (p Proxies) Client(peer netip.Addr, forwardedFor []string) netip.Addr {
	client := peer.Unmap().WithZone("")
	if !p.trusts(client) {
		return client
	}
	for _, hop := range slices.Backward(entries(forwardedFor)) {
		ip, ok := Hop(hop)
		if !ok {
			break
		}
		if client = ip; !p.trusts(client) {
			break
		}
	}
	return client
}

// Behind is who is behind a proxy that has added its own peer to X-Forwarded-For,
// and is believed for another reason than its address.
func (p Proxies) Behind(forwardedFor []string) netip.Addr {
	hops := entries(forwardedFor)
	last := len(hops) - 1
	peer, _ := Hop(hops[last])
	return p.Client(peer, hops[:last])
}

// entries are the entries of a header that is a list: lines of one name are one
// list in their order.
func entries(lines []string) []string { return strings.Split(strings.Join(lines, ","), ",") }

// Hop is the address of an entry of X-Forwarded-For: "192.0.2.1", "2001:db8::1",
// either with a port as some proxies add it ("192.0.2.1:80", "[2001:db8::1]:80"), or in
// brackets alone.
func Hop(text string) (ip netip.Addr, ok bool) {
	text = strings.TrimSpace(text)
	ip, err := netip.ParseAddr(text)
	if err != nil {
		var with netip.AddrPort
		if with, err = netip.ParseAddrPort(text); err == nil {
			ip = with.Addr()
		}
	}
	if inside, open := strings.CutPrefix(text, "["); err != nil && open {
		if inside, closed := strings.CutSuffix(inside, "]"); closed {
			ip, err = netip.ParseAddr(inside)
		}
	}
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}, false
	}
	return ip.Unmap(), true
}

// Source is by what requests from an address are counted: one IPv4 address, or the 64 bits of an IPv6 address
// that a subscriber has to himself, so that nobody gets around it by his own addresses. That of no address is invalid.
func Source(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	p, _ := from.Prefix(min(from.BitLen(), 64)) // the bits are as many as there are
	return p
}
