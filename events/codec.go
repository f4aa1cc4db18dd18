package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ContentType of a message's data: a CloudEvents 1.0 batch in JSON.
const ContentType = "application/cloudevents-batch+json"

// cloudEvent is one event on disk. Extension names are lower-case letters
// and digits only, as CloudEvents 1.0 section 3.1 asks.
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            string    `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	Actor           string    `json:"actor"`
	ActorKey        string    `json:"actorkey,omitempty"`
	RequestID       string    `json:"requestid"`
	RequestDigest   string    `json:"requestdigest,omitempty"`
	RequestScope    string    `json:"requestscope,omitempty"`
	SourceIP        string    `json:"sourceip,omitempty"`
	Dialect         string    `json:"dialect,omitempty"`
	PolicyPosition  string    `json:"policyposition,omitempty"`
	Data            undecoded `json:"data"`
}

// undecoded is the data of an event as it stands. It may not even be JSON until
// the type it stands under has been decoded from it.
type undecoded struct{ json.RawMessage }

// Encode is the data of d's message. It fails on a decision that no log should
// hold: without events, with an invalid subject or without a request ID.
func Encode(d Decision) ([]byte, error) {
	if len(d.Events) == 0 {
		return nil, errors.New("events: a decision without events")
	}
	if err := d.Subject.Valid(); err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	if err := d.Meta.Request.Valid(); err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	batch := make([]cloudEvent, len(d.Events))
	for i, r := range d.Events {
		ce, err := encodeOne(d.Subject, d.Meta, r)
		if err != nil {
			return nil, err
		}
		batch[i] = ce
	}
	return json.Marshal(batch)
}

func encodeOne(s Subject, m Meta, r Recorded) (cloudEvent, error) {
	if _, known := byName[r.Event.Kind()]; !known {
		return cloudEvent{}, fmt.Errorf("events: %s is not in the catalog", r.Event.Kind())
	}
	data, err := json.Marshal(onDisk(r.Event))
	if err != nil {
		return cloudEvent{}, fmt.Errorf("events: %s: %w", r.Event.Kind(), err)
	}
	ce := cloudEvent{
		SpecVersion: "1.0", ID: string(r.ID), Source: s.Source(), Type: TypeOf(r.Event), Subject: r.Event.About(),
		Time: m.Time.UTC().Format(time.RFC3339Nano), DataContentType: "application/json",
		Actor: string(m.Actor), ActorKey: string(m.ActorKey), RequestID: string(m.Request), RequestDigest: m.Digest,
		RequestScope: string(m.Scope), SourceIP: m.SourceIP, Dialect: m.Dialect, Data: undecoded{data},
	}
	if m.Policy != 0 {
		ce.PolicyPosition = strconv.FormatUint(uint64(m.Policy), 10)
	}
	return ce, nil
}

// EncodePublic is a record's events as CloudEvents for those outside: the same
// envelope, without what is sealed.
func EncodePublic(r Record, i int) (json.RawMessage, error) {
	public := r.Events[i]
	public.Event = Public(public.Event)
	ce, err := encodeOne(r.Subject, r.Meta, public)
	if err != nil {
		return nil, err
	}
	return json.Marshal(ce)
}

// A PoisonedError is a message that this build cannot read. Nothing may skip it
// silently.
type PoisonedError struct {
	Position Position
	Err      error
}

func (e *PoisonedError) Error() string {
	return fmt.Sprintf("message at position %d cannot be read: %v", e.Position, e.Err)
}

func (e *PoisonedError) Unwrap() error { return e.Err }

// Decode reads a message of any version that was ever written. The error is a
// *PoisonedError.
func Decode(m Message) (Record, error) {
	r, err := decode(m)
	if err != nil {
		return Record{}, &PoisonedError{Position: m.Position, Err: err}
	}
	return r, nil
}

func decode(m Message) (Record, error) {
	s, err := ParseSubject(m.Subject)
	if err != nil {
		return Record{}, err
	}
	batch, err := decodeBatch(m.Data)
	if err != nil {
		return Record{}, err
	}
	if len(batch) == 0 {
		return Record{}, errors.New("a batch without events")
	}
	meta, err := decodeMeta(batch[0])
	if err != nil {
		return Record{}, err
	}
	source := s.Source()
	r := Record{Position: m.Position, Subject: s, Meta: meta, Events: make([]Recorded, len(batch))}
	for i, ce := range batch {
		if ce.SpecVersion != "1.0" || ce.Source != source || ce.RequestID != batch[0].RequestID {
			return Record{}, fmt.Errorf("event %d: the envelope does not belong to %s", i, m.Subject)
		}
		e, err := decodeData(ce.Type, ce.Data.RawMessage)
		if err != nil {
			return Record{}, fmt.Errorf("event %d: %w", i, err)
		}
		if ce.Subject != e.About() {
			return Record{}, fmt.Errorf("event %d: the envelope is about %q, the event about %q", i, ce.Subject, e.About())
		}
		r.Events[i] = Recorded{ID: EventID(ce.ID), Event: e}
	}
	return r, nil
}

func decodeBatch(data []byte) ([]cloudEvent, error) {
	if batch, ok := plainBatch(data); ok {
		return batch, nil
	}
	var batch []cloudEvent
	err := json.Unmarshal(data, &batch)
	return batch, err
}

func decodeMeta(ce cloudEvent) (Meta, error) {
	at, err := time.Parse(time.RFC3339Nano, ce.Time)
	if err != nil {
		return Meta{}, err
	}
	if at = at.UTC(); at.Year() < 0 || at.Year() > 9999 {
		return Meta{}, fmt.Errorf("time %q: want a year of four digits in UTC", ce.Time)
	}
	m := Meta{
		Time: at, Actor: Actor(ce.Actor), ActorKey: AccessKeyID(ce.ActorKey), Request: RequestID(ce.RequestID),
		Digest: ce.RequestDigest, Scope: AccountID(ce.RequestScope), SourceIP: ce.SourceIP, Dialect: ce.Dialect,
	}
	if ce.PolicyPosition != "" {
		p, err := strconv.ParseUint(ce.PolicyPosition, 10, 64)
		if err != nil {
			return Meta{}, fmt.Errorf("policyposition: %w", err)
		}
		m.Policy = Position(p)
	}
	return m, nil
}
