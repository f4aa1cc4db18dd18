package journal

import (
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// revive restarts the server after a write of its failed: JetStream takes no
// more writes on such a stream until it is recovered from disk. What it had
// acknowledged is there; what it had not is settled by whoever waits for it. It
// reports whether the log is as it was.
func (w *watch) revive() bool {
	w.j.log.Error("journal: the log's server failed and is restarted", "says", w.ailment())
	w.restarting(true)
	defer w.restarting(false)
	w.j.gate.shut()
	defer w.j.gate.open()
	w.j.host.stop()
	err := w.j.host.start(w.j.ctx, w.j.reached())
	if err == nil {
		err = w.j.lookAside()
	}
	if err == nil {
		err = w.j.again()
	}
	if err == nil {
		err = w.j.holdFront(w.j.ctx)
	}
	var damage *RefusedError
	errors.As(err, &damage)
	w.j.fault.Store(damage)
	if err != nil {
		w.j.log.Error("journal: the log cannot be used after a restart of its server", "error", err)
	}
	return err == nil
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
	known := guarded{created: j.created, stored: j.reached()}
	for {
		j.host.stage()
		_, err := j.guard(j.ctx, known)
		var damage *RefusedError
		if err == nil || errors.As(err, &damage) {
			return err
		}
		j.log.Debug("journal: the log cannot be looked at yet", "error", err)
		if !pause(j.ctx, 10*time.Millisecond) {
			return errClosed
		}
	}
}

// reached is the highest position that LEDGER is known to hold.
func (j *Journal) reached() events.Position {
	return max(events.Position(j.acked.Load()), j.config.StoredPosition)
}
