package keys

import (
	"bytes"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// lives are the statuses; on disk a status is its place here.
var lives = []Status{Active, Disabled, Deleted, Purged}

func statusByte(s Status) byte {
	for i, l := range lives {
		if l == s {
			return byte(i)
		}
	}
	panic("keys: no such status: " + string(s))
}

func parseStatus(p *row.Parser) Status {
	b := p.Byte()
	if int(b) >= len(lives) {
		p.Fail("no such status")
		return ""
	}
	return lives[b]
}

var rows = projections.Table[events.AccessKeyID, Key]{
	ID: projections.TableKeys, AppendKey: appendID, ParseKey: parseID, AppendValue: appendKey, ParseValue: parseKey,
}

var secrets = projections.Table[events.AccessKeyID, events.Sealed]{
	ID: projections.TableSealed, AppendKey: appendID, ParseKey: parseID, AppendValue: appendSealed, ParseValue: parseSealed,
}

func appendID(dst []byte, id events.AccessKeyID) []byte { return append(dst, id...) }

func parseID(b []byte) (events.AccessKeyID, error) { return events.AccessKeyID(b), nil }

// Forms of a key's row: the second is that of a key with a network policy, the third of a
// restricted key, the fourth of one that is both. Any other is written as it always was.
const (
	formKey           = 1
	formNetwork       = 2
	formRestricted    = 3
	formRestrictedNet = 4
)

func formOf(k *Key) byte {
	network, restricted := !k.Network.IsZero(), !k.Restriction.Since.IsZero()
	switch {
	case network && restricted:
		return formRestrictedNet
	case restricted:
		return formRestricted
	case network:
		return formNetwork
	}
	return formKey
}

func appendKey(dst []byte, k Key) []byte {
	form := formOf(&k)
	dst = append(dst, form)
	dst = row.AppendString(dst, k.ID)
	dst = row.AppendSubject(dst, events.Subject{Account: k.Account, User: k.User})
	dst = append(dst, statusByte(k.Status))
	dst = row.AppendString(dst, k.Description)
	dst = row.AppendString(dst, k.Cause)
	dst = row.AppendString(dst, k.Reason)
	dst = row.AppendString(dst, k.PurgeCause)
	dst = row.AppendTime(dst, k.CreatedAt)
	dst = row.AppendTime(dst, k.ChangedAt)
	dst = row.AppendTime(dst, k.DeletedAt)
	dst = row.AppendTime(dst, k.PurgeAt)
	dst = row.AppendTime(dst, k.PurgedAt)
	dst = row.AppendUvarint(dst, uint64(k.Created))
	dst = row.AppendUvarint(dst, uint64(k.Last))
	if form == formNetwork || form == formRestrictedNet {
		dst = appendNetwork(dst, k.Network)
	}
	if form >= formRestricted {
		dst = row.AppendTime(dst, k.Restriction.Since)
		dst = row.AppendString(row.AppendString(dst, k.Restriction.Reason), k.Restriction.FoundIn)
	}
	return dst
}

func appendNetwork(dst []byte, n events.NetworkPolicy) []byte {
	dst = row.AppendString(dst, n.Status)
	dst = row.AppendUvarint(dst, uint64(len(n.Statements)))
	for _, s := range n.Statements {
		dst = row.AppendString(row.AppendString(dst, s.Type), s.VPC)
		dst = row.AppendUvarint(dst, uint64(len(s.Addresses)))
		for _, a := range s.Addresses {
			dst = row.AppendString(dst, a)
		}
	}
	return dst
}

func parseNetwork(p *row.Parser) (n events.NetworkPolicy) {
	n.Status = p.Str()
	for left := p.Uvarint(); left > 0 && p.Err() == nil; left-- {
		s := events.NetworkStatement{Type: p.Str(), VPC: p.Str()}
		for left := p.Uvarint(); left > 0 && p.Err() == nil; left-- {
			s.Addresses = append(s.Addresses, p.Str())
		}
		n.Statements = append(n.Statements, s)
	}
	if n.IsZero() {
		p.Fail("there is no network policy where there must be one")
	}
	return n
}

func parseRestriction(p *row.Parser) Restriction {
	r := Restriction{Since: p.Time(), Reason: p.Str(), FoundIn: p.Str()}
	if r.Since.IsZero() {
		p.Fail("there is no restriction where there must be one")
	}
	return r
}

func parseKey(b []byte) (Key, error) {
	p := row.Parse(b)
	form := p.Version(formKey, formNetwork, formRestricted, formRestrictedNet)
	k := Key{ID: events.AccessKeyID(p.Str())}
	s := p.Subject()
	k.Account, k.User = s.Account, s.User
	k.Status = parseStatus(&p)
	k.Description, k.Cause, k.Reason, k.PurgeCause = p.Str(), p.Str(), p.Str(), p.Str()
	k.CreatedAt, k.ChangedAt, k.DeletedAt, k.PurgeAt, k.PurgedAt = p.Time(), p.Time(), p.Time(), p.Time(), p.Time()
	k.Created, k.Last = events.Position(p.Uvarint()), events.Position(p.Uvarint())
	if form == formNetwork || form == formRestrictedNet {
		k.Network = parseNetwork(&p)
	}
	if form >= formRestricted {
		k.Restriction = parseRestriction(&p)
	}
	return k, p.Done()
}

func appendSealed(dst []byte, s events.Sealed) []byte {
	dst = append(dst, 1)
	dst = row.AppendUvarint(dst, uint64(s.Layout))
	dst = row.AppendUvarint(dst, uint64(s.Version))
	dst = row.AppendUvarint(dst, uint64(s.Epoch))
	dst = row.AppendBytes(dst, s.Ciphertext)
	return row.AppendBytes(dst, s.WrappedKey)
}

func parseSealed(b []byte) (events.Sealed, error) {
	p := row.Parse(b)
	p.Version(1)
	s := events.Sealed{Layout: int(p.Uvarint()), Version: int(p.Uvarint())}
	epoch := p.Uvarint()
	if s.Epoch = uint32(epoch); uint64(s.Epoch) != epoch {
		p.Fail("an epoch is too large")
	}
	s.Ciphertext, s.WrappedKey = bytes.Clone(p.Bytes()), bytes.Clone(p.Bytes())
	return s, p.Done()
}
