package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// The streams, as docs/format/subjects.md describes them.
const (
	streamLedger  = "LEDGER"   // decisions, kept for ever
	streamUsed    = "USED"     // packed access records
	streamSummary = "SUMMARY"  // what USED said before it was trimmed, kept for ever
	streamCells   = "KV_CELLS" // what must be mutable: the key-value bucket CELLS
)

const cellsPrefix = "$KV.CELLS."

// How long a Nats-Msg-Id is remembered. Only USED carries any; elsewhere it is as
// short as can be, because the server reads that much of a stream before it starts.
const (
	dedupeUsed = 2 * time.Minute
	dedupeNone = 100 * time.Millisecond
)

// Exported for those who name them to an operator.
const (
	Ledger  = streamLedger
	Used    = streamUsed
	Summary = streamSummary
)

// streams are in the order in which they are made: LEDGER last, so that where
// LEDGER is all are.
func streams() []jetstream.StreamConfig {
	cells := unlimited(streamCells, cellsPrefix+">")
	cells.MaxMsgsPerSubject = 1
	cells.Discard = jetstream.DiscardNew
	cells.AllowRollup = true
	cells.DenyDelete = true

	used := unlimited(streamUsed, "used.>")
	used.Duplicates = dedupeUsed

	summary := unlimited(streamSummary, "summary.>")
	summary.DenyDelete, summary.DenyPurge = true, true

	ledger := unlimited(streamLedger, "ledger.>")
	ledger.DenyDelete, ledger.DenyPurge = true, true
	ledger.AllowAtomicPublish = true // for group commit only

	return []jetstream.StreamConfig{cells, used, summary, ledger}
}

// unlimited is a stream on disk that nothing expires from.
func unlimited(name, subjects string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: name, Subjects: []string{subjects}, Storage: jetstream.FileStorage, Compression: jetstream.S2Compression,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgs: -1, MaxBytes: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1,
		Replicas: 1, Duplicates: dedupeNone, AllowDirect: true,
	}
}

// A streamState is what a stream says of itself. The configuration is kept as
// the server sent it, so that a field this build does not know is seen too.
type streamState struct {
	Config  map[string]any `json:"config"`
	Created time.Time      `json:"created"`
	State   struct {
		Messages uint64 `json:"messages"`
		First    uint64 `json:"first_seq"`
		Last     uint64 `json:"last_seq"`
		Deleted  uint64 `json:"num_deleted"`
	} `json:"state"`
}

// errNoStream says that there is no such stream.
var errNoStream = errors.New("no such stream")

// state asks a stream's leader for its state, or returns errNoStream.
func (j *Journal) state(ctx context.Context, name string) (streamState, error) {
	ctx, cancel := j.host.bounded(ctx, askWithin)
	defer cancel()
	m, err := j.write.RequestWithContext(ctx, streamInfo+name, nil)
	if err != nil {
		return streamState{}, fmt.Errorf("journal: state of %s: %w", name, err)
	}
	var reply struct {
		streamState
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		return streamState{}, fmt.Errorf("journal: state of %s: %w", name, err)
	}
	if reply.Error != nil && reply.Error.ErrCode == codeNoStream {
		return streamState{}, errNoStream
	}
	if reply.Error != nil {
		return streamState{}, fmt.Errorf("journal: state of %s: %w", name, reply.Error)
	}
	return reply.streamState, nil
}

// makeStreams makes what is missing at a first start, and names what is missing
// at any other. A first start may have been interrupted: it is one as long as no
// stream holds a message.
func (j *Journal) makeStreams(ctx context.Context) error {
	var missing []jetstream.StreamConfig
	holding := ""
	for _, c := range streams() {
		s, err := j.state(ctx, c.Name)
		switch {
		case errors.Is(err, errNoStream):
			missing = append(missing, c)
		case err != nil:
			return err
		case s.State.Last > 0:
			holding = c.Name
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if !j.config.Create {
		return refused(GuardMissing, "stream %s is not there, and this is not a first start", missing[len(missing)-1].Name)
	}
	if holding != "" {
		return refused(GuardMissing, "stream %s is not there, though %s holds messages: this is not a first start", missing[len(missing)-1].Name, holding)
	}
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for _, c := range missing {
		if _, err := j.js.CreateStream(ctx, c); err != nil {
			return fmt.Errorf("journal: make stream %s: %w", c.Name, err)
		}
	}
	return nil
}
