package projtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
)

// keyring lets something happen to a user's keys.
func (h *History) keyring(u *user) (events.Subject, []events.Event) {
	s := events.KeyringSubject(u.account.id, u.id)
	if h.Imports && h.rand.IntN(8) == 0 {
		return h.imported(u)
	}
	if len(u.keys) == 0 || len(u.keys) < h.MaxKeys && h.rand.IntN(3) == 0 {
		return s, h.create(u)
	}
	i := h.rand.IntN(len(u.keys))
	k := u.keys[i]
	if h.rand.IntN(12) == 0 {
		return s, []events.Event{events.KeyDescribed{Key: k.id, Description: fmt.Sprintf("for job %d", h.rand.IntN(9))}}
	}
	if k.status != "deleted" && h.rand.IntN(20) == 0 {
		return s, []events.Event{events.KeyNetworkPolicySet{Key: k.id, NetworkPolicy: h.network()}}
	}
	if h.rand.IntN(20) == 0 {
		return s, []events.Event{k.restriction()}
	}
	switch k.status {
	case "active":
		k.status = "disabled"
		return s, []events.Event{events.KeyDisabled{Key: k.id, Reason: []string{"", "leaked"}[h.rand.IntN(2)]}}
	case "disabled":
		if h.rand.IntN(2) == 0 {
			k.status = "active"
			return s, []events.Event{events.KeyEnabled{Key: k.id}}
		}
		k.status, k.purge = "deleted", h.now.Add(time.Duration(h.rand.IntN(100))*time.Hour)
		return s, []events.Event{events.KeyDeleted{Key: k.id, PurgeAt: k.purge, Warnings: []string{"idle"}[:h.rand.IntN(2)], LastUsed: []time.Time{{}, k.purge}[h.rand.IntN(2)]}}
	}
	if h.rand.IntN(3) == 0 {
		k.status = "disabled"
		return s, []events.Event{events.KeyRestored{Key: k.id}}
	}
	u.keys = slices.Delete(u.keys, i, i+1)
	return s, []events.Event{events.KeyPurged{Key: k.id, Cause: events.CauseRetention}}
}

// restriction restricts a key, or ends that.
func (k *key) restriction() events.Event {
	if k.restricted = !k.restricted; k.restricted {
		return events.KeyRestricted{Key: k.id, Reason: "leaked", FoundIn: "https://git.example/" + string(k.id)}
	}
	return events.KeyUnrestricted{Key: k.id}
}

// imported reserves an ID for a user, or imports a key whose ID was reserved before;
// some never are. A reservation is a fact of no account's subject.
func (h *History) imported(u *user) (events.Subject, []events.Event) {
	if n := len(u.reserved); n > 0 && h.rand.IntN(3) > 0 {
		created := h.newKey(u)
		k := u.keys[len(u.keys)-1]
		created.Key, created.Cause = u.reserved[n-1], events.CauseImported
		k.id, u.reserved = created.Key, u.reserved[:n-1]
		if h.rand.IntN(2) == 0 {
			return events.KeyringSubject(u.account.id, u.id), []events.Event{created}
		}
		k.status = "disabled"
		return events.KeyringSubject(u.account.id, u.id), []events.Event{created, events.KeyDisabled{Key: k.id}}
	}
	h.serial++
	id := events.AccessKeyID(fmt.Sprintf("LTAI5t-%d", h.serial))
	u.reserved = append(u.reserved, id)
	return events.ReservationSubject(id), []events.Event{events.KeyReserved{Key: id, Account: u.account.id, User: u.id}}
}

// create makes a key, and once in a while two in one decision.
func (h *History) create(u *user) []events.Event {
	decided := []events.Event{h.newKey(u)}
	if h.rand.IntN(30) == 0 {
		decided = append(decided, h.newKey(u))
	}
	return decided
}

const base32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func (h *History) newKey(u *user) events.KeyCreated {
	id := []byte("KLAK0000000000000000")
	for i, n := len(id)-1, h.rand.Uint64(); i >= 8; i, n = i-1, n>>5 {
		id[i] = base32[n&31]
	}
	k := &key{id: events.AccessKeyID(id), status: "active"}
	u.keys = append(u.keys, k)
	return events.KeyCreated{
		Key: k.id, Cause: events.CauseRequested, Description: []string{"", "build server"}[h.rand.IntN(2)],
		Sealed: events.Sealed{Layout: 1, Version: 1, Epoch: 1, Ciphertext: h.noise(80), WrappedKey: h.noise(72)},
	}
}

func (h *History) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(h.rand.Uint32())
	}
	return b
}

// network is a network policy, and once in a while the taking back of one.
func (h *History) network() events.NetworkPolicy {
	if h.rand.IntN(4) == 0 {
		return events.NetworkPolicy{Status: events.NetworkInactive}
	}
	return events.NetworkPolicy{Status: events.NetworkActive, Statements: []events.NetworkStatement{
		{Type: events.NetworkAddress, Addresses: []string{fmt.Sprintf("192.0.2.%d", h.rand.IntN(256)), "2001:db8::/32"}},
	}}
}
