package feed

import (
	"context"
	"errors"
)

// A marker finds the mark of a message.
type marker func(position uint64) (uint32, error)

func (s *start) ledgerMark(ctx context.Context) marker {
	return func(p uint64) (uint32, error) {
		m, err := s.message(ctx, p)
		return markOf(m.Data), err
	}
}

func (s *start) usedMark(ctx context.Context) marker {
	return func(p uint64) (uint32, error) {
		m, err := s.use(ctx, p)
		return markOf(m.Data), err
	}
}

// checkMark holds a place to the log that it was in. A message that was trimmed, or cannot be read, proves nothing.
func checkMark(stream string, at Point, of marker) error {
	if at.Mark == 0 || at.last() == 0 {
		return nil
	}
	mark, err := of(at.last())
	switch {
	case errors.Is(err, errTrimmed), unreadable(err):
		return nil
	case err != nil:
		return err
	case mark != at.Mark:
		return refuse(Replaced, "the cursor is of another log: message %d of %s is not the one that was read, as after an older copy was restored. What happened since is behind it: begin at a time before that", at.last(), stream)
	}
	return nil
}

// mark has the reader's first cursor say which log it is of.
func (s *start) mark(ctx context.Context) {
	for at, of := range map[*Point]marker{&s.at.Ledger: s.ledgerMark(ctx), &s.at.Used: s.usedMark(ctx)} {
		if at.Mark != 0 || at.last() == 0 {
			continue
		}
		if mark, err := of(at.last()); err == nil {
			at.Mark = mark
		}
	}
}
