package keys

import (
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/row"
)

// A place is where a key stands in a list: within its scope and shelf, newest
// first.
type place struct {
	scope   events.Subject // the account, or one user of it
	shelf   byte           // of an account: the status; of a user: live or purged
	created events.Position
	id      events.AccessKeyID
}

// Shelves of a user's list.
const (
	live   byte = 0
	purged byte = 1
)

func userPlace(k *Key) place {
	shelf := live
	if k.Status == Purged {
		shelf = purged
	}
	return place{events.Subject{Account: k.Account, User: k.User}, shelf, k.Created, k.ID}
}

func accountPlace(k *Key) place {
	return place{events.AccountSubject(k.Account), statusByte(k.Status), k.Created, k.ID}
}

var byUser = projections.Table[place, projections.None]{
	ID: projections.TableKeysByUser, AppendKey: appendUserPlace, ParseKey: parseUserPlace, WriteOnly: true,
}

var byAccount = projections.Table[place, projections.None]{
	ID: projections.TableKeysByAccount, AppendKey: appendAccountPlace, ParseKey: parseAccountPlace, WriteOnly: true,
}

func appendUserPlace(dst []byte, p place) []byte {
	return appendPlace(row.AppendSubject(dst, p.scope), p)
}

func appendAccountPlace(dst []byte, p place) []byte {
	return appendPlace(row.AppendAccount(dst, p.scope.Account), p)
}

func appendPlace(dst []byte, p place) []byte {
	dst = append(dst, p.shelf)
	dst = row.AppendDescending(dst, uint64(p.created))
	return append(dst, p.id...)
}

func parseUserPlace(b []byte) (place, error) {
	p := row.Parse(b)
	return parsePlace(&p, place{scope: p.Subject()}, purged)
}

func parseAccountPlace(b []byte) (place, error) {
	p := row.Parse(b)
	return parsePlace(&p, place{scope: events.AccountSubject(p.Account())}, byte(len(lives)-1))
}

func parsePlace(p *row.Parser, at place, last byte) (place, error) {
	if at.shelf = p.Byte(); at.shelf > last {
		p.Fail("no such shelf")
	}
	at.created = events.Position(p.Descending())
	if p.Err() == nil {
		at.id = events.AccessKeyID(p.Rest())
	}
	return at, p.Done()
}

// ranges are where the keys that a filter asks for stand: the parts of one
// list, each newest first.
func (f Filter) ranges() (*projections.Table[place, projections.None], []projections.Range) {
	var out []projections.Range
	if f.User == "" {
		for _, s := range f.Statuses {
			out = append(out, projections.Range{Prefix: append(row.AppendAccount(nil, f.Account), statusByte(s))})
		}
		return &byAccount, out
	}
	scope := row.AppendSubject(nil, events.KeyringSubject(f.Account, f.User))
	for _, shelf := range f.shelves() {
		out = append(out, projections.Range{Prefix: append(scope[:len(scope):len(scope)], shelf)})
	}
	return &byUser, out
}

// shelves are those of a user's list that can hold what is asked for.
func (f Filter) shelves() []byte {
	var out []byte
	for _, s := range f.Statuses {
		shelf := live
		if s == Purged {
			shelf = purged
		}
		if len(out) == 0 || out[len(out)-1] != shelf {
			out = append(out, shelf)
		}
	}
	return out
}
