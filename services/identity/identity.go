// Package identity draws what must be new: IDs that nothing else has, and
// secrets that nobody can guess.
//
// The way in is a [Source] and its methods. [CheckSecret] and [CheckGatewayToken] tell our secrets
// from other text.
//
// The limits: it remembers nothing it has drawn. Access key IDs, gateway token IDs, user IDs and
// UUIDs have enough room for that; of account IDs there are 9*10^11, so that
// whoever opens an account must be ready to find its ID taken and draw again. The shapes are in
// docs/format/key-format.md.
package identity

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

const (
	digits    = "0123456789"
	crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // base32 without I, L, O and U
	base62    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// A Source draws IDs and secrets. The zero Source draws from crypto/rand and
// reads the system's clock. It may be used by many goroutines at once if Rand and Now may.
//
// Its methods fail when Rand fails or cannot be random, and then return
// nothing; never part of an ID.
type Source struct {
	Rand io.Reader        // crypto/rand.Reader if nil
	Now  func() time.Time // time.Now if nil
}

// AccountID is 12 digits, the first not 0.
func (s Source) AccountID() (events.AccountID, error) {
	id, err := s.number(12)
	if err != nil {
		return "", fmt.Errorf("identity: draw an account ID: %w", err)
	}
	return events.AccountID(id), nil
}

// UserID is 18 digits, the first not 0; it fits an int64.
func (s Source) UserID() (events.UserID, error) {
	id, err := s.number(18)
	if err != nil {
		return "", fmt.Errorf("identity: draw a user ID: %w", err)
	}
	return events.UserID(id), nil
}

// number is n decimal digits, the first not 0.
func (s Source) number(n int) (string, error) {
	first, err := s.draw(digits[1:], 1)
	if err != nil {
		return "", err
	}
	rest, err := s.draw(digits, n-1)
	if err != nil {
		return "", err
	}
	return string(first) + string(rest), nil
}

// EventID is a UUID of version 7: IDs of later milliseconds sort later.
func (s Source) EventID() (events.EventID, error) {
	id, err := s.timed()
	if err != nil {
		return "", fmt.Errorf("identity: draw an event ID: %w", err)
	}
	return events.EventID(id.String()), nil
}

// UseID is a UUID of version 7, in its 16 bytes, for an access record of a time.
func (s Source) UseID(at time.Time) ([16]byte, error) {
	id, err := s.sixteen()
	if err == nil {
		err = stamp(&id, at)
	}
	if err != nil {
		return [16]byte{}, fmt.Errorf("identity: draw the ID of an access record: %w", err)
	}
	return id, nil
}

// RequestID is a UUID of version 7, for a request whose client named none.
func (s Source) RequestID() (events.RequestID, error) {
	id, err := s.timed()
	if err != nil {
		return "", fmt.Errorf("identity: draw a request ID: %w", err)
	}
	return events.RequestID(id.String()), nil
}

// InstallationID is a UUID of version 4: it does not tell when the installation
// was made.
func (s Source) InstallationID() (vault.InstallationID, error) {
	id, err := uuid.NewRandomFromReader(s.rand())
	if err != nil {
		return "", fmt.Errorf("identity: draw an installation ID: %w", err)
	}
	return vault.InstallationID(id.String()), nil
}

// timed is a UUID of version 7 at the time that was passed in. The library's own
// version 7 reads the system's clock; so its random UUID is taken, and the time put
// into it as RFC 9562 lays it out: 48 bits of milliseconds, and 12 bits of
// the fraction (its method 3).
func (s Source) timed() (uuid.UUID, error) {
	id, err := uuid.NewRandomFromReader(s.rand())
	if err == nil {
		err = stamp((*[16]byte)(&id), s.now())
	}
	if err != nil {
		return uuid.Nil, err
	}
	return id, nil
}

// stamp makes a random UUID one of version 7, of a time.
func stamp(id *[16]byte, at time.Time) error {
	ms := at.UnixMilli()
	if ms < 0 || ms >= 1<<48 {
		return errors.New("the clock shows a time that a UUID cannot hold")
	}
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	fraction := at.Nanosecond() % int(time.Millisecond) * 4096 / int(time.Millisecond)
	id[6], id[7] = 0x70|byte(fraction>>8), byte(fraction)
	id[8] = id[8]&0x3f | 0x80 // the variant
	return nil
}

// reserves are random bytes read ahead: of all that is drawn only the IDs of access records
// are drawn so often that asking the system for each costs. No secret is made of them.
var reserves = sync.Pool{New: func() any { return bufio.NewReaderSize(rand.Reader, 1024) }}

// sixteen is random bytes for what is no secret.
func (s Source) sixteen() ([16]byte, error) {
	if s.Rand != nil && s.Rand != rand.Reader {
		return uuid.NewRandomFromReader(s.Rand)
	}
	reserve := reserves.Get().(*bufio.Reader)
	defer reserves.Put(reserve)
	var out [16]byte
	random, err := reserve.Peek(len(out))
	if err != nil {
		return out, err
	}
	copy(out[:], random)
	_, err = reserve.Discard(len(out))
	return out, err
}

func (s Source) rand() io.Reader {
	if s.Rand == nil {
		return rand.Reader
	}
	return s.Rand
}

func (s Source) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}
