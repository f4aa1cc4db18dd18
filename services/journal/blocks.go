package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/keyledger/keyledger/events"
)

// checkBlocks holds the blocks of our streams to the checksums they were written
// with, before a server reads them. The server believes the sequences of a block
// that its index vouches for: by one changed byte in one of them it takes memory
// until none is left, and neither ends nor answers. Where its index does not vouch, it
// cuts the newest block off where the damage begins, whatever follows.
//
// Every record of an uncompressed block is read: at most the newest block of each
// stream, and one that was being compressed. A compressed block has checksums that
// the server does look at, so only what these leave open is held here.
//
// streams is the directory with the streams' directories, known the position that
// LEDGER is known to have reached. The error is a *damageError that names stream, block and
// offset, or a fault.
func checkBlocks(streams string, known events.Position) error {
	all, err := blocksIn(streams, known)
	if err != nil {
		return err
	}
	found := make([]error, len(all))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(len(all)); i = next.Add(1) {
				found[i-1] = all[i-1].check()
			}
		})
	}
	workers.Wait()
	return damaged(all, found)
}

// A damageError says which streams have blocks that are not what they must be.
type damageError struct {
	streams  []string
	err      error // about the first block
	doubtful bool  // all records may be there after all
}

func (e *damageError) Error() string { return e.err.Error() }
func (e *damageError) Unwrap() error { return e.err }

// damaged puts together what was found of blocks, if anything was.
func damaged(blocks []block, found []error) error {
	var e damageError
	for i, err := range found {
		if err == nil {
			continue
		}
		stream := blocks[i].stream
		if !slices.Contains(e.streams, stream) {
			e.streams = append(e.streams, stream)
		}
		// What keeps the start from going on is said first.
		if e.err == nil || areMendable(e.streams[:1]) && !areMendable([]string{stream}) {
			e.err = err
		}
	}
	if e.err == nil {
		return nil
	}
	return &e
}

// A block is a file of messages.
type block struct {
	stream string
	path   string
	index  uint32
	size   int64
	known  events.Position // zero: nothing is known
	// open: it is the one that was written to, and the server's index does not vouch
	// for it. It may end in a write that was interrupted.
	open bool
}

// blocksIn are the blocks of our streams, in order.
func blocksIn(streamsDir string, known events.Position) ([]block, error) {
	var all []block
	for _, c := range streams() {
		blocks, err := blocksOf(filepath.Join(streamsDir, c.Name, "msgs"), c.Name)
		if err != nil {
			return nil, fmt.Errorf("journal: blocks of stream %s: %w", c.Name, err)
		}
		if c.Name == streamLedger && len(blocks) > 0 {
			blocks[len(blocks)-1].known = known
		}
		all = append(all, blocks...)
	}
	return all, nil
}

// blocksOf are the blocks of a stream that hold anything.
func blocksOf(dir, stream string) ([]block, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []block
	for _, e := range entries {
		b := block{stream: stream, path: filepath.Join(dir, e.Name())}
		if n, err := fmt.Sscanf(e.Name(), "%d.blk", &b.index); err != nil || n != 1 || !strings.HasSuffix(e.Name(), ".blk") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		b.size = info.Size()
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b block) int { return cmp.Compare(a.index, b.index) })
	if len(all) == 0 {
		return nil, nil
	}
	vouched, err := all[len(all)-1].vouched(filepath.Join(dir, "index.db"))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(b block) bool { return b.size == 0 })
	if len(all) > 0 {
		all[len(all)-1].open = !vouched
	}
	return all, nil
}

// vouched reports whether the server's index was written after the last record of
// the newest block: it ends in the number of that block, the checksum of the record,
// and a checksum of its own. The server takes the block unread then.
func (b block) vouched(index string) (bool, error) {
	want := binary.AppendUvarint(nil, uint64(b.index))
	last, err := endOf(b.path, checksumSize)
	if err != nil {
		return false, err
	}
	want = append(want, last...)
	end, err := endOf(index, len(want)+checksumSize)
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil && bytes.HasPrefix(end, want), err
}

// endOf are the last n bytes of a file; zeros if it has fewer.
func endOf(path string, n int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	end := make([]byte, n)
	if err != nil || info.Size() < int64(n) {
		return end, err
	}
	_, err = f.ReadAt(end, info.Size()-int64(n))
	return end, err
}

// check holds a block to what it must be.
func (b block) check() error {
	f, err := os.Open(b.path)
	if err != nil {
		return b.unreadable(err)
	}
	defer f.Close()
	head := make([]byte, min(b.size, compressedHead))
	if _, err := io.ReadFull(f, head); err != nil {
		return b.unreadable(err)
	}
	if compressed(head) {
		return b.checkCompressed(f)
	}
	buf := make([]byte, b.size)
	if _, err := f.ReadAt(buf, 0); err != nil {
		return b.unreadable(err)
	}
	return b.checkRecords(buf)
}

// checkRecords walks the records of an uncompressed block.
func (b block) checkRecords(buf []byte) error {
	sum := newChecksum(b.stream, b.index)
	var last uint64
	for at := 0; at < len(buf); {
		r, why := recordAt(buf[at:], sum)
		if why != "" {
			return b.judge(buf, at, last, why)
		}
		at, last = at+r.size, max(last, r.sequence)
	}
	return b.ends(len(buf), last)
}

// judge says what a record is that is not as it was written. Only the end of an
// open block can be a write that was interrupted: then it is the server's to cut off.
// What the disk had not yet written reads as zeros, and whole records may follow it.
func (b block) judge(buf []byte, at int, last uint64, why string) error {
	next := recordAfter(buf, at, last, newChecksum(b.stream, b.index))
	switch {
	case b.interrupted(buf, at, next, why):
		return b.ends(at, last)
	case endsCut(buf, at, next, why):
		return refused(GuardWhole, "%s is cut: at offset %d, after position %d, %s", b, at, last, why)
	}
	return refused(GuardContent, "%s is damaged: at offset %d, after position %d, %s", b, at, last, why)
}

// interrupted reports whether a record that is not whole is a write that was interrupted, which nobody was told of: the
// server cuts it off. next is where the next whole record is, below zero if there is none.
func (b block) interrupted(buf []byte, at, next int, why string) bool {
	return b.open && (endsCut(buf, at, next, why) || next > 0 && unwritten(buf, at, next))
}

// endsCut reports whether a block ends in a record that was not written to its end.
func endsCut(buf []byte, at, next int, why string) bool {
	return next < 0 && (why == recordIsCut || unwritten(buf, at, len(buf)))
}

// ends says whether a block may end behind a position, zero if it has none: not
// if a later one was answered for.
func (b block) ends(at int, last uint64) error {
	if b.open && last > 0 && events.Position(last) < b.known {
		return refused(GuardTail, "%s ends at offset %d, after position %d, but LEDGER reached position %d before: its tail is cut", b, at, last, b.known)
	}
	return nil
}

// unreadable says that a block cannot be read. Where the process has run out of something, that says nothing of the block.
func (b block) unreadable(err error) error {
	for _, lacking := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR} {
		if errors.Is(err, lacking) {
			return fmt.Errorf("journal: %s cannot be read now: %w", b, err)
		}
	}
	return refused(GuardContent, "%s cannot be read: %v", b, err)
}

// String names a block for an operator.
func (b block) String() string {
	return "block " + filepath.Base(b.path) + " of stream " + b.stream
}
