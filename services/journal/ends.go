package journal

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
)

// endsFile says how far USED and SUMMARY are known to have reached, and how far USED was trimmed: docs/format/data-directory.md.
const endsFile = "ends"

// endsEvery is how often it is written. It lags by as much, so that it is never ahead of
// what a power cut leaves of a relaxed log.
const endsEvery = 10 * time.Second

// ends are the last messages that the mendable streams are known to have held. A server that
// misses the end of one says nothing, and gives its positions anew.
type ends struct {
	// Exact: the log was closed, and nothing was behind them.
	Exact bool                       `json:"exact,omitempty"`
	Last  map[string]events.Position `json:"last"`
	// Trimmed is how far USED was trimmed. SUMMARY says so, too, and before: this is for when that is lost.
	Trimmed events.Position `json:"used_trimmed,omitempty"`
}

// readEnds is what is written down: nothing of any stream, where nothing is yet.
func readEnds(store string) (e ends, err error) {
	e.Last = map[string]events.Position{}
	for _, stream := range mendable {
		e.Last[stream] = 0
	}
	path := filepath.Join(store, endsFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return e, refused(GuardContent, "%s does not say how far USED and SUMMARY reached (%v): restore it, or remove it if they are known to be whole", path, err)
	}
	return e, nil
}

// without leaves streams out.
func (e ends) without(streams []string) ends {
	e.Last = maps.Clone(e.Last)
	for _, stream := range streams {
		delete(e.Last, stream)
	}
	return e
}

func (e ends) write(store string) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(store, endsFile), append(text, '\n'), 0o600)
}

// A reach is how far the mendable streams are known to go, by what was acknowledged.
type reach struct {
	mu   sync.Mutex
	last map[string]events.Position
}

func (r *reach) note(stream string, p events.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[stream] = max(r.last[stream], p)
}

func (j *Journal) ends() ends {
	j.reach.mu.Lock()
	defer j.reach.mu.Unlock()
	return ends{Last: maps.Clone(j.reach.last), Trimmed: events.Position(j.trimmed.Load())}
}

func (e ends) equal(other ends) bool {
	return maps.Equal(e.Last, other.Last) && e.Trimmed == other.Trimmed
}

// beginEnds says that what is written down is exact no more, and learns how far the streams go.
func (j *Journal) beginEnds(ctx context.Context) error {
	known, err := readEnds(j.config.Dir)
	if err != nil {
		return err
	}
	if known.Exact {
		known.Exact = false
		if err := known.write(j.config.Dir); err != nil {
			return err
		}
	}
	j.trimmed.Store(uint64(known.Trimmed))
	return j.lookEnds(ctx)
}

func (j *Journal) lookEnds(ctx context.Context) error {
	for _, stream := range mendable {
		s, err := j.state(ctx, stream)
		if err != nil {
			return err
		}
		j.reach.note(stream, events.Position(s.State.Last))
	}
	return nil
}

// keepEnds writes down how far the streams go until the journal is closed.
func (j *Journal) keepEnds() {
	t := time.NewTicker(endsEvery)
	defer t.Stop()
	for written, before := (ends{}), j.ends(); ; before = j.ends() {
		select {
		case <-j.ctx.Done():
			return
		case <-t.C:
		}
		if written.equal(before) {
			continue
		}
		if err := before.write(j.config.Dir); err != nil {
			j.log.Warn("journal: how far USED and SUMMARY go could not be written down", "error", err)
			continue
		}
		written = before
	}
}

// endEnds writes down where the streams end, once nothing more can be written.
func (j *Journal) endEnds() {
	err := j.lookEnds(context.Background())
	if err == nil {
		e := j.ends()
		e.Exact = true
		err = e.write(j.config.Dir)
	}
	if err != nil {
		j.log.Warn("journal: where USED and SUMMARY end could not be written down", "error", err)
	}
}
