package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// summaryTrimmed is where SUMMARY says how far USED was trimmed: docs/format/subjects.md. It says so before anything is
// removed, so that a front that is lost is never taken for one that was trimmed.
const summaryTrimmed = "summary.trimmed"

// A trimRecord is the content of such a message.
type trimRecord struct {
	Through events.Position `json:"used_through"`
}

// recordedTrim is how far USED was trimmed by what SUMMARY says, and the position of the message that says so, which is
// zero if none does.
func (j *Journal) recordedTrim(ctx context.Context) (through, at events.Position, err error) {
	at, body, err := j.stored(ctx, streamSummary, summaryTrimmed)
	if errors.Is(err, events.ErrNone) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("journal: how far access records were trimmed: %w", err)
	}
	var r trimRecord
	if err := json.Unmarshal(body, &r); err != nil {
		j.log.Error("journal: how far access records were trimmed cannot be read", "summary", uint64(at), "error", err)
	}
	return r.Through, at, nil
}

// recordTrim has SUMMARY say how far USED is trimmed, unless it was trimmed as far before.
func (j *Journal) recordTrim(ctx context.Context, last events.Position) error {
	for {
		through, at, err := j.recordedTrim(ctx)
		if err == nil && (at == 0 || through < last) {
			body, _ := json.Marshal(trimRecord{last})
			m := &nats.Msg{Subject: summaryTrimmed, Data: body, Header: nats.Header{headerExpected: {strconv.FormatUint(uint64(at), 10)}}}
			at, err = j.send(ctx, m)
			j.reach.note(streamSummary, at)
		}
		if errors.Is(err, errMoved) { // another node trims, too
			continue
		}
		if err == nil {
			j.trimmed.Store(max(j.trimmed.Load(), uint64(max(through, last))))
		}
		return err
	}
}

// learnTrimmed is for a start: it learns how far USED was trimmed, and holds USED to it. What SUMMARY says may be lost: then
// what was written down beside it counts.
func (j *Journal) learnTrimmed(ctx context.Context) error {
	through, at, err := j.recordedTrim(ctx)
	if err != nil {
		return err
	}
	through = max(through, events.Position(j.trimmed.Load()))
	j.trimmed.Store(uint64(through))
	if at == 0 && through == 0 {
		if err := j.adoptFront(ctx); err != nil {
			return err
		}
	}
	return j.holdFront(ctx)
}

// adoptFront takes the front of USED for trimmed where a build before this one trimmed it, which left no word of how far. Where
// SUMMARY is empty nothing ever was, and where it is damaged the word may be lost.
func (j *Journal) adoptFront(ctx context.Context) error {
	summary, err := j.state(ctx, streamSummary)
	if err != nil {
		return err
	}
	used, err := j.state(ctx, streamUsed)
	if err != nil {
		return err
	}
	front := events.Position(max(used.State.First, 1)) - 1
	for _, d := range j.Damages() {
		if d.Stream == streamSummary || d.From <= front && front <= d.Through {
			return nil
		}
	}
	if front == 0 || summary.State.Last == 0 {
		return nil
	}
	if err := j.recordTrim(ctx, front); err != nil {
		j.log.Warn("journal: how far access records were trimmed is not written down yet", "error", err)
		j.trimmed.Store(uint64(front))
	}
	return nil
}

// holdFront writes down what is missing of USED behind what was trimmed.
func (j *Journal) holdFront(ctx context.Context) error {
	s, err := j.state(ctx, streamUsed)
	if err != nil {
		return err
	}
	from, first := events.Position(j.trimmed.Load())+1, events.Position(s.State.First)
	for _, d := range j.Damages() {
		if d.Stream == streamUsed && d.From <= from {
			from = max(from, d.Through+1)
		}
	}
	if from >= first {
		return nil
	}
	lost, err := j.lostBlock()
	if err != nil {
		return err
	}
	d := Damage{Stream: streamUsed, Block: lost, Why: fileIsMissing, From: from, Through: first - 1}
	j.log.Error("journal: access records are missing", "damage", d.String())
	if err := asideOf(j.config.Dir).note(asideRecord{Stream: streamUsed, Block: lost, Last: first - 1, Lost: []Damage{d}, Gone: true}); err != nil {
		return fmt.Errorf("journal: write down what is missing of USED: %w", err)
	}
	return j.lookAside()
}

// lostBlock is the block before the first that there is of USED.
func (j *Journal) lostBlock() (string, error) {
	files := keepOf(j.config.Dir)
	blocks, err := blocksOf(files.msgs(streamUsed), streamUsed)
	if err != nil {
		return "", err
	}
	index := uint32(1)
	if len(blocks) > 0 {
		index = max(blocks[0].index, 2) - 1
	}
	return filepath.Base(files.block(streamUsed, index).path), nil
}
