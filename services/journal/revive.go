package journal

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// revive restarts the server after a write of its failed: JetStream takes no
// more writes on such a stream until it is recovered from disk. What it had
// acknowledged is there; what it had not is settled by whoever waits for it.
func (w *watch) revive() {
	w.j.log.Error("journal: the log's server failed and is restarted", "says", w.j.host.sick())
	w.restarting(true)
	defer w.restarting(false)
	w.j.host.stop()
	if err := w.j.host.start(w.j.ctx); err != nil {
		w.j.log.Error("journal: the log's server does not start", "error", err)
		return
	}
	if err := w.j.again(); err != nil {
		w.j.log.Error("journal: the log cannot be used after a restart", "error", err)
	}
}

func (w *watch) restarting(now bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restart = now
	if now {
		w.restarts++
	}
}

// again waits for the connections to find the new server and holds the log to
// what it was: nothing that was answered for may be gone.
func (j *Journal) again() error {
	for _, nc := range []*nats.Conn{j.write, j.read} {
		for nc.Status() != nats.CONNECTED {
			if !pause(j.ctx, time.Millisecond) {
				return errClosed
			}
		}
	}
	stored := max(events.Position(j.acked.Load()), j.config.StoredPosition)
	_, err := j.guard(j.ctx, guarded{created: j.created, stored: stored})
	var damage *RefusedError
	if errors.As(err, &damage) {
		j.fault.Store(damage)
	}
	return err
}
