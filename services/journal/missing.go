package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/events"
)

// fileIsMissing is what is wrong with a block that is not there.
const fileIsMissing = "the file is missing"

// checkStreams refuses a log without one of its streams, if that is known to have reached a position, before anything of the others
// is mended: what is missing as a whole may yet be put back.
func (k keep) checkStreams(ledger events.Position, others ends) error {
	for _, stream := range []string{streamLedger, streamUsed, streamSummary} {
		if stream == streamLedger && ledger == 0 || stream != streamLedger && others.Last[stream] == 0 {
			continue
		}
		folder := filepath.Join(k.streams, stream)
		_, err := os.Stat(folder)
		if errors.Is(err, fs.ErrNotExist) {
			return refused(GuardMissing, "stream %s is not there, and this is not a first start: put back %s, or restore the data directory as a whole from a backup", stream, folder)
		}
		if err != nil {
			return fmt.Errorf("journal: stream %s: %w", stream, err)
		}
	}
	return nil
}

// checkPresent holds mendable streams to having all their blocks: messages go into one after the other, and
// only USED loses any, from its front. The server takes what it finds for all there was. Where USED begins too late is for
// holdFront to say. Only streams of which known says something are looked at.
func (k keep) checkPresent(known ends) error {
	for stream, reached := range known.Last {
		if purging, err := k.purging(stream); purging || err != nil {
			return err
		}
		blocks, gone, err := k.blocks(stream)
		if err != nil {
			return err
		}
		if len(gone) > 0 {
			return &damageError{[]string{stream}, refused(GuardWhole, "%s is missing", gone[0]), true}
		}
		last, err := lastIn(blocks)
		if err != nil {
			return err
		}
		if last < reached { // or it is all trimmed what the newest block holds, and the one before it holds the end
			return &damageError{[]string{stream}, refused(GuardTail, "%s ends at position %d, but it reached position %d before: its tail is cut", stream, last, reached), true}
		}
	}
	return nil
}

// blocks are those of a stream, and those that have to be between them, or before them, and are not there.
func (k keep) blocks(stream string) (blocks, gone []block, err error) {
	if blocks, err = blocksOf(k.msgs(stream), stream); err != nil {
		return nil, nil, fmt.Errorf("journal: blocks of stream %s: %w", stream, err)
	}
	known, err := k.aside.gone(stream)
	if err != nil {
		return nil, nil, err
	}
	next := uint32(1)
	if stream == streamUsed && len(blocks) > 0 {
		next = blocks[0].index
	}
	for i, b := range blocks {
		var between []block
		for ; next < b.index; next++ {
			if g := k.block(stream, next); !known[filepath.Base(g.path)] {
				between = append(between, g)
			}
		}
		next = b.index + 1
		if len(between) == 0 {
			continue
		}
		empty, err := follows(blocks[:i], b)
		if err != nil {
			return nil, nil, err
		}
		if !empty {
			gone = append(gone, between...)
		}
	}
	return blocks, gone, nil
}

// follows reports whether the first message of b comes right behind the last of the blocks before it: what was between them
// held none. A server that was killed gives the block that it had begun, and written nothing to, another number.
func follows(before []block, b block) (bool, error) {
	last, err := lastIn(before)
	if err != nil {
		return false, err
	}
	first, err := firstIn(b)
	return first == last+1, err
}

// block is one that is not there.
func (k keep) block(stream string, index uint32) block {
	return block{stream: stream, path: filepath.Join(k.msgs(stream), fmt.Sprint(index, ".blk")), index: index}
}

// behind is the block behind all others.
func (k keep) behind(stream string, blocks []block) block {
	if len(blocks) == 0 {
		return k.block(stream, 1)
	}
	return k.block(stream, blocks[len(blocks)-1].index+1)
}

// mendAll mends streams, and says at how many places something is wrong.
func (k keep) mendAll(streams []string, known ends) (places int, err error) {
	for _, stream := range streams {
		n, err := k.mend(stream, known)
		if err != nil {
			return places, err
		}
		places += n
	}
	return places, nil
}

// newBlocksDir is where nats-server 2.15 puts the block that is left of a stream while it purges all of it. Whoever finds a block there at
// a start goes on with that (recoverPartialPurge in its filestore.go).
const newBlocksDir = "__new_msgs__"

// purging reports whether the server was interrupted as it purged all of a stream.
func (k keep) purging(stream string) (bool, error) {
	entries, err := os.ReadDir(filepath.Join(k.streams, stream, newBlocksDir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".blk") }), err
}

// firstIn is the position of the first message in a block, or zero if something else is there.
func firstIn(b block) (first events.Position, err error) {
	err = eachRecord(b, func(r record) bool {
		if !r.tombstone {
			first = events.Position(r.sequence)
		}
		return r.tombstone
	})
	return first, err
}

// lastIn is the last position that the newest block knows of.
func lastIn(blocks []block) (last events.Position, err error) {
	if len(blocks) == 0 {
		return 0, nil
	}
	err = eachRecord(blocks[len(blocks)-1], func(r record) bool {
		last = max(last, events.Position(r.sequence))
		return true
	})
	return last, err
}

// eachRecord calls visit with the records of a block until it wants no more, or something else comes.
func eachRecord(b block, visit func(record) (more bool)) error {
	text, err := b.plain()
	if err != nil {
		return err
	}
	sum := newChecksum(b.stream, b.index)
	for at := 0; at < len(text); {
		r, why := recordAt(text[at:], sum)
		if why != "" || !visit(r) {
			break
		}
		at += r.size
	}
	return nil
}
