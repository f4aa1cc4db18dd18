package verify

import (
	"net/netip"
	"slices"

	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
)

// A Network is an active network policy as requests are judged by it: parsed once, when a key
// is loaded.
type Network struct {
	Key  bool // it is the key's own, not the account's
	From []netip.Prefix
}

// NetworksOf are the network policies that bind a key under its account's policy: of the
// account's and the key's own those that are active, or the key's alone where it replaces
// the account's. An inactive one of the key replaces nothing.
func NetworksOf(p events.Policy, account, key events.NetworkPolicy) (out []Network) {
	own, active := policy.Sources(key)
	if active {
		out = append(out, Network{Key: true, From: own})
	}
	if active && policy.NetworkReplaces(p) {
		return out
	}
	if from, active := policy.Sources(account); active {
		out = append(out, Network{From: from})
	}
	return out
}

// allows says whether a request may come from source. Where it came from may not be known:
// then it came from none of the addresses.
func (n *Network) allows(source netip.Addr) bool {
	return slices.ContainsFunc(n.From, func(p netip.Prefix) bool { return p.Contains(source) })
}

// Errors of decisions; they are shared and never changed.
var (
	deniedByKey     = &dialect.NetworkError{Key: true}
	deniedByAccount = &dialect.NetworkError{}
)

// network decides about a request that may go on as far as the key goes.
func (d Decision) network(networks []Network, source netip.Addr) Decision {
	for i := range networks {
		if networks[i].allows(source) {
			continue
		}
		d.Allowed, d.Reason, d.Network = false, NetworkPolicy, deniedByAccount
		if networks[i].Key {
			d.Network = deniedByKey
		}
		if d.Detail = d.Network.Error(); !source.IsValid() {
			d.Detail += ": it is not known; whoever passes the request on has to say it"
		}
		return d
	}
	return d
}
