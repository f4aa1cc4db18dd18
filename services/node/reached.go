package node

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
)

// reachedFile remembers how far the log went, beside the log and the projections:
// a log that was cut short is noticed even where the projections are gone.
const reachedFile = "reached"

// reachedEvery is how often it is written. It lags by as much, so that it is
// never ahead of what a power cut leaves of a relaxed log.
const reachedEvery = 10 * time.Second

// reached is the position that a log in the directory has gone beyond; zero if
// none is known.
func reached(data string) (events.Position, error) {
	path := filepath.Join(data, reachedFile)
	text, err := os.ReadFile(path)
	if isMissing(err) {
		return 0, nil
	}
	if err != nil {
		return 0, refuse(GuardData, err, "how far the log went cannot be read")
	}
	p, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, refuse(GuardData, err, "%s does not hold a position: restore it, or remove it if the log is known to be whole", path)
	}
	return events.Position(p), nil
}

func (n *Node) rememberReached(p events.Position) error {
	return durable.WriteFile(filepath.Join(n.config.Data, reachedFile), strconv.AppendUint(nil, uint64(p), 10), 0o600)
}

// watchReached writes down how far the log went until ctx ends.
func (n *Node) watchReached(ctx context.Context) {
	t := time.NewTicker(reachedEvery)
	defer t.Stop()
	written, before := events.Position(0), n.views.Applied()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if before > written {
			if err := n.rememberReached(before); err != nil {
				n.config.Logger.Warn("how far the log went could not be written down", "error", err)
			} else {
				written = before
			}
		}
		before = n.views.Applied()
	}
}
