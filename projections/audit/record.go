package audit

import (
	"fmt"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
)

// Ways a record is written. Events that come by the million have a codec of
// their own here; a record with any other event keeps the bytes of the log's codec, which
// reads every version that was ever written.
const (
	compact byte = 1
	encoded byte = 2
)

// A written record is what the audit keeps of one: the compact fields, or the
// log's bytes.
type written struct {
	events.Record
	peak peak
	data []byte
}

// publish is r without what is sealed, in the way it will be written.
func publish(r events.Record) (written, error) {
	w := written{Record: r}
	plain := true
	for i := range r.Events {
		plain = plain && codeOf(r.Events[i].Event) != 0
	}
	if plain {
		return w, nil
	}
	public := make([]events.Recorded, len(r.Events))
	for i, e := range r.Events {
		public[i] = events.Recorded{ID: e.ID, Event: events.Public(e.Event)}
	}
	var err error
	w.data, err = events.Encode(events.Decision{Subject: r.Subject, Meta: r.Meta, Events: public})
	return w, err
}

func appendRecord(dst []byte, w written) []byte {
	if w.data != nil {
		dst = row.AppendUvarint(appendPeak(append(dst, encoded), w.peak), uint64(w.Position))
		dst = row.AppendString(dst, w.Subject.String())
		return append(dst, w.data...)
	}
	dst = row.AppendUvarint(appendPeak(append(dst, compact), w.peak), uint64(w.Position))
	dst = row.AppendSubject(dst, w.Subject)
	dst = appendMeta(dst, w.Meta)
	dst = row.AppendUvarint(dst, uint64(len(w.Events)))
	for i := range w.Events {
		dst = row.AppendUUID(dst, w.Events[i].ID)
		dst = appendEvent(dst, w.Events[i].Event)
	}
	return dst
}

func parseRecord(b []byte) (written, error) {
	p := row.Parse(b)
	form := p.Version(compact, encoded)
	w := written{peak: parsePeak(&p), Record: events.Record{Position: events.Position(p.Uvarint())}}
	if form == encoded {
		return parseEncoded(w, &p)
	}
	w.Subject = p.Subject()
	w.Meta = parseMeta(&p)
	for n := p.Uvarint(); n > 0 && p.Err() == nil; n-- {
		w.Events = append(w.Events, events.Recorded{ID: events.EventID(p.UUID()), Event: parseEvent(&p)})
	}
	return w, p.Done()
}

func parseEncoded(w written, p *row.Parser) (written, error) {
	m := events.Message{Position: w.Position, Subject: p.Str()}
	if err := p.Err(); err != nil {
		return written{}, err
	}
	m.Data = []byte(p.Rest())
	var err error
	if w.Record, err = events.Decode(m); err != nil {
		return written{}, fmt.Errorf("%w: %w", row.ErrMalformed, err)
	}
	w.data = m.Data
	return w, nil
}

func appendMeta(dst []byte, m events.Meta) []byte {
	dst = row.AppendTime(dst, m.Time)
	dst = row.AppendActor(dst, m.Actor)
	dst = row.AppendString(dst, m.ActorKey)
	dst = row.AppendUUID(dst, m.Request)
	dst = row.AppendDigest(dst, m.Digest)
	dst = row.AppendString(dst, m.Scope)
	dst = row.AppendString(dst, m.SourceIP)
	dst = row.AppendString(dst, m.Dialect)
	return row.AppendUvarint(dst, uint64(m.Policy))
}

func parseMeta(p *row.Parser) events.Meta {
	return events.Meta{
		Time: p.Time(), Actor: p.Actor(), ActorKey: events.AccessKeyID(p.Str()), Request: events.RequestID(p.UUID()),
		Digest: p.Digest(), Scope: events.AccountID(p.Str()), SourceIP: p.Str(), Dialect: p.Str(), Policy: events.Position(p.Uvarint()),
	}
}
