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

func appendKey(dst []byte, k Key) []byte {
	dst = append(dst, 1)
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
	return row.AppendUvarint(dst, uint64(k.Last))
}

func parseKey(b []byte) (Key, error) {
	p := row.Parse(b)
	p.Version(1)
	k := Key{ID: events.AccessKeyID(p.Str())}
	s := p.Subject()
	k.Account, k.User = s.Account, s.User
	k.Status = parseStatus(&p)
	k.Description, k.Cause, k.Reason, k.PurgeCause = p.Str(), p.Str(), p.Str(), p.Str()
	k.CreatedAt, k.ChangedAt, k.DeletedAt, k.PurgeAt, k.PurgedAt = p.Time(), p.Time(), p.Time(), p.Time(), p.Time()
	k.Created, k.Last = events.Position(p.Uvarint()), events.Position(p.Uvarint())
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
