package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// Cells is what must be mutable beside the log: each key has one value, and an
// older one is gone once it is replaced. Nothing is ever removed.
type Cells struct{ j *Journal }

// A Revision names one value of one cell. Revisions are compared, never added
// to; zero is a cell that was never written.
type Revision uint64

// ErrCellMoved says that a cell holds another revision than the one it was to
// replace: nothing was written.
var ErrCellMoved = errors.New("journal: the cell holds another revision")

// Cells are the log's mutable cells.
func (j *Journal) Cells() Cells { return Cells{j} }

// Get is the value of a key and its revision, or events.ErrNone. Keys are letters,
// digits, '-', '_', '=' and '/', in tokens separated by dots.
func (c Cells) Get(ctx context.Context, key string) ([]byte, Revision, error) {
	if err := validKey(key); err != nil {
		return nil, 0, err
	}
	at, value, err := c.j.stored(ctx, streamCells, cellsPrefix+key)
	if err != nil && !errors.Is(err, events.ErrNone) {
		err = fmt.Errorf("journal: cell %s: %w", key, err)
	}
	return value, Revision(at), err
}

// Put writes the value of a key if the key is at the expected revision; zero: if
// it was never written. It returns the new revision; the value is as durable as an
// append by then. Errors are ErrCellMoved, a *events.UnavailableError, or
// events.ErrUncertain, after which the same Put is safe.
func (c Cells) Put(ctx context.Context, key string, value []byte, expected Revision) (Revision, error) {
	if err := validKey(key); err != nil {
		return 0, err
	}
	if off := c.j.admit(false); off != nil {
		return 0, off
	}
	m := &nats.Msg{Subject: cellsPrefix + key, Data: value, Header: nats.Header{
		headerExpected: {strconv.FormatUint(uint64(expected), 10)},
	}}
	written, err := c.j.send(ctx, m)
	switch {
	case err == nil:
		return Revision(written), nil
	case errors.Is(err, errFull):
		return 0, &events.UnavailableError{Reason: "the log's store takes no writes now"}
	case errors.Is(err, errMoved):
		return c.settle(ctx, key, value, expected)
	case errors.Is(err, errUnknown), errors.Is(err, errUnsent):
		return 0, fmt.Errorf("%w: %w", events.ErrUncertain, err)
	}
	return 0, fmt.Errorf("journal: cell %s: %w", key, err)
}

// settle looks whether the value that is in the way is the one that was to be
// written.
func (c Cells) settle(ctx context.Context, key string, value []byte, expected Revision) (Revision, error) {
	have, at, err := c.Get(ctx, key)
	switch {
	case errors.Is(err, events.ErrNone):
		return 0, ErrCellMoved
	case err != nil:
		return 0, fmt.Errorf("%w: %w", events.ErrUncertain, err)
	case at > expected && bytes.Equal(have, value):
		return at, nil
	}
	return 0, ErrCellMoved
}

func validKey(key string) error {
	if key == "" || len(key) > 512 {
		return fmt.Errorf("journal: cell key: want 1 to 512 characters, got %d", len(key))
	}
	dot := true
	for i := range len(key) {
		c := key[i]
		plain := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '=' || c == '/'
		if !plain && (c != '.' || dot) {
			return fmt.Errorf("journal: cell key %q: %q at %d may not stand there", key, c, i)
		}
		dot = c == '.'
	}
	if dot {
		return fmt.Errorf("journal: cell key %q ends with a dot", key)
	}
	return nil
}
