package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

const (
	// filePace is how many bytes of blocks the scan reads in a second.
	filePace = 8 << 20
	// fileAgain is how long a block that does not hold what it must is left alone before it is
	// looked at again: the server may be writing to it, or put another in its place.
	fileAgain = 200 * time.Millisecond
	// fileLooks is how often it must be found the same.
	fileLooks = 3
)

// filesLoop reads the blocks of the streams beside LEDGER, wholly, and of every stream those
// that are not compressed: the server believes these. It reads the files and not through the
// server, which a damaged block can keep from ever answering.
func (s *scan) filesLoop() {
	if s.j.config.Scan.Rate < 0 {
		return
	}
	for {
		found := s.j.checkFiles(s.j.ctx, true)
		if s.j.ctx.Err() != nil {
			return
		}
		for _, f := range found {
			s.j.log.Error("journal: the scan found a damaged block", "finding", f.Err.Detail)
		}
		s.mu.Lock()
		s.health.Blocks = found
		s.health.FileRounds++
		s.mu.Unlock()
		if !pause(s.j.ctx, s.j.config.Scan.Every) {
			return
		}
	}
}

// CheckFiles reads the blocks of USED, SUMMARY and CELLS wholly, and the uncompressed ones of LEDGER, and
// says which do not hold what was written.
func (j *Journal) CheckFiles(ctx context.Context) []BlockFinding { return j.checkFiles(ctx, false) }

// A BlockFinding is a file that does not hold what was written.
type BlockFinding struct {
	Stream string
	Err    *RefusedError
}

// checkFiles reads block by block, and rests in between if it is to go slowly. The newest of each
// stream come first: they are not compressed.
func (j *Journal) checkFiles(ctx context.Context, slowly bool) (found []BlockFinding) {
	all, err := blocksIn(keepOf(j.config.Dir).streams, 0)
	if err != nil {
		j.log.Debug("journal: the blocks cannot be listed", "error", err)
		return nil
	}
	var newest, old []block
	for i, b := range all {
		b.open = i+1 == len(all) || all[i+1].stream != b.stream // it is being written to
		switch {
		case b.open:
			newest = append(newest, b)
		case b.stream != streamLedger: // that is read through the server, message by message
			old = append(old, b)
		}
	}
	for _, b := range append(newest, old...) {
		if r := b.wrong(ctx); r != nil && len(found) < findingsKept {
			found = append(found, BlockFinding{b.stream, r})
			j.suspect(b.stream)
		}
		if ctx.Err() != nil || slowly && !pause(ctx, time.Duration(b.size)*time.Second/filePace) {
			break
		}
	}
	return found
}

// wrong is what is wrong with a block for certain, at several looks.
func (b block) wrong(ctx context.Context) *RefusedError {
	var last *RefusedError
	for range fileLooks {
		err := b.checkWhole()
		var r *RefusedError
		if !errors.As(err, &r) || last != nil && last.Detail != r.Detail {
			return nil
		}
		if last = r; !pause(ctx, fileAgain) {
			return nil
		}
	}
	return last
}

// checkWhole is check, of every record. A block that is gone was trimmed, or is written anew.
func (b block) checkWhole() error {
	if info, err := os.Stat(b.path); err == nil {
		b.size = info.Size() // it grows
	}
	if err := b.check(); err != nil {
		if _, gone := os.Stat(b.path); errors.Is(gone, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	text, err := b.plain()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return b.unreadable(err)
	}
	return b.checkRecords(text)
}

// ledgerEnd is what is wrong with the newest block of LEDGER.
func (j *Journal) ledgerEnd() *RefusedError {
	all, err := blocksOf(keepOf(j.config.Dir).msgs(streamLedger), streamLedger)
	if err != nil || len(all) == 0 {
		return nil
	}
	b := all[len(all)-1]
	b.open = true
	return b.wrong(j.ctx)
}

// ledgerBlock is what is wrong with the first block of LEDGER that does not hold what was written.
func (j *Journal) ledgerBlock(ctx context.Context) error {
	all, err := blocksOf(keepOf(j.config.Dir).msgs(streamLedger), streamLedger)
	if err != nil {
		return fmt.Errorf("journal: blocks of stream %s: %w", streamLedger, err)
	}
	for i, b := range all {
		b.open = i+1 == len(all) // it is being written to
		if r := b.wrong(ctx); r != nil {
			return r
		}
	}
	return nil
}
