package audit

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
)

// Codes of the events that are written compactly. They are on disk: add, never
// reuse one. A fact whose shape changes gets a new code. Zero is no code.
const (
	codeCreated byte = iota + 1
	codeDisabled
	codeEnabled
	codeDeleted
	codeRestored
	codePurged
	codeDescribed
	codeClosed
	codeReopened
	codeDeletedUsed // with the time of its last use
	codeUserAdded
	codeUserRemoved
)

func codeOf(e events.Event) byte {
	switch e := e.(type) {
	case events.KeyCreated:
		return codeCreated
	case events.KeyDisabled:
		return codeDisabled
	case events.KeyEnabled:
		return codeEnabled
	case events.KeyDeleted:
		if !e.LastUsed.IsZero() {
			return codeDeletedUsed
		}
		return codeDeleted
	case events.KeyRestored:
		return codeRestored
	case events.KeyPurged:
		return codePurged
	case events.KeyDescribed:
		return codeDescribed
	case events.KeyringClosed:
		return codeClosed
	case events.KeyringReopened:
		return codeReopened
	case events.UserAdded:
		return codeUserAdded
	case events.UserRemoved:
		return codeUserRemoved
	default: // rare, and written by the log's codec
		return 0
	}
}

// appendEvent writes an event that has a code, without what is sealed.
func appendEvent(dst []byte, e events.Event) []byte {
	dst = row.AppendString(append(dst, codeOf(e)), e.About())
	switch e := e.(type) {
	case events.KeyCreated:
		dst = row.AppendString(dst, e.Description)
		dst = row.AppendString(dst, e.Cause)
		return appendList(dst, e.Warnings)
	case events.KeyDisabled:
		return row.AppendString(dst, e.Reason)
	case events.KeyDeleted:
		dst = appendList(row.AppendTime(dst, e.PurgeAt), e.Warnings)
		if !e.LastUsed.IsZero() {
			dst = row.AppendTime(dst, e.LastUsed)
		}
		return dst
	case events.KeyPurged:
		return row.AppendString(dst, e.Cause)
	case events.KeyDescribed:
		return row.AppendString(dst, e.Description)
	case events.UserAdded:
		return row.AppendString(row.AppendString(row.AppendString(dst, e.Name), e.UserKind), e.Role)
	case events.UserRemoved:
		return row.AppendString(dst, e.Name)
	default: // about says it all
		return dst
	}
}

func parseEvent(p *row.Parser) events.Event {
	code, about := p.Byte(), p.Str()
	key := events.AccessKeyID(about)
	switch code {
	case codeCreated:
		return events.KeyCreated{Key: key, Description: p.Str(), Cause: p.Str(), Warnings: parseList(p)}
	case codeDisabled:
		return events.KeyDisabled{Key: key, Reason: p.Str()}
	case codeEnabled:
		return events.KeyEnabled{Key: key}
	case codeDeleted:
		return events.KeyDeleted{Key: key, PurgeAt: p.Time(), Warnings: parseList(p)}
	case codeDeletedUsed:
		return events.KeyDeleted{Key: key, PurgeAt: p.Time(), Warnings: parseList(p), LastUsed: p.Time()}
	case codeRestored:
		return events.KeyRestored{Key: key}
	case codePurged:
		return events.KeyPurged{Key: key, Cause: p.Str()}
	case codeDescribed:
		return events.KeyDescribed{Key: key, Description: p.Str()}
	case codeClosed:
		return events.KeyringClosed{User: events.UserID(about)}
	case codeReopened:
		return events.KeyringReopened{User: events.UserID(about)}
	case codeUserAdded:
		return events.UserAdded{User: events.UserID(about), Name: p.Str(), UserKind: p.Str(), Role: p.Str()}
	case codeUserRemoved:
		return events.UserRemoved{User: events.UserID(about), Name: p.Str()}
	}
	p.Fail("no such event")
	return nil
}

func appendList(dst []byte, list []string) []byte {
	dst = row.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = row.AppendString(dst, s)
	}
	return dst
}

func parseList(p *row.Parser) []string {
	var out []string
	for n := p.Uvarint(); n > 0 && p.Err() == nil; n-- {
		out = append(out, p.Str())
	}
	return out
}
