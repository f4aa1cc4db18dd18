package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
)

// mendable are the streams that a ledger can go on without a part of: what is lost of
// them is told until an operator lets it pass, and decisions do not rest on it.
var mendable = []string{streamUsed, streamSummary}

const (
	// minRecord is the smallest that a record can be.
	minRecord = recordHead + checksumSize
	// blockBytes is what a block holds before the server begins another.
	blockBytes = 8 << 20
)

// mend reads every block of a stream, wholly, sets those aside that do not hold what was
// written, and puts blocks in their place that hold every whole record of theirs. It writes
// down, too, what is missing and not known to be: with blocks that are not there, between two
// records, and up to where the stream is known to have reached. No server may run. It says at
// how many places something is wrong.
//
// Positions are never given anew: where the end of the stream is lost, an empty message
// follows at a position that what was there cannot have reached.
func (k keep) mend(stream string, known ends) (places int, err error) {
	if purging, err := k.purging(stream); purging || err != nil {
		return 0, err
	}
	blocks, gone, err := k.blocks(stream)
	if err != nil {
		return 0, err
	}
	before, err := k.aside.damages()
	if err != nil {
		return 0, err
	}
	m := mender{before: slices.DeleteFunc(before, func(d Damage) bool { return d.Stream != stream })}
	all := slices.Concat(blocks, gone)
	slices.SortFunc(all, func(a, b block) int { return cmp.Compare(a.index, b.index) })
	for _, b := range all {
		if b.size == 0 {
			m.lose(m.patch(b), 0, blockBytes, fileIsMissing)
			continue
		}
		if err := m.read(b); err != nil {
			return 0, fmt.Errorf("journal: read what is left of %s: %w", b, err)
		}
	}
	m.end(k.behind(stream, all), known)
	if m.places == 0 {
		return 0, nil
	}
	// The server's index vouches for blocks as they were.
	if err := os.Remove(filepath.Join(k.msgs(stream), "index.db")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	for _, p := range m.patches {
		if err := p.apply(k.aside); err != nil {
			return 0, fmt.Errorf("journal: set %s aside: %w", p.block, err)
		}
	}
	return m.places, nil
}

// A mender goes over the records of a stream, in order.
type mender struct {
	before  []Damage // what is known to be lost
	patches []*patch
	places  int
	last    events.Position // of the records so far
	removed events.Position // the last that a tombstone among them is for
	stamp   []byte          // the time of the last, as it is in a record
	open    []*Damage       // places behind which nothing whole was met yet
	bytes   int             // that are lost there
}

// A patch is what becomes of a block.
type patch struct {
	block  block
	kept   []byte
	differ bool
	lost   []*Damage
	last   events.Position // that the block held, as far as is known
}

// patch begins the one of the next block.
func (m *mender) patch(b block) *patch {
	if n := len(m.patches); n > 0 && !m.patches[n-1].differ {
		m.patches[n-1].kept = nil // as it is on disk
	}
	p := &patch{block: b}
	m.patches = append(m.patches, p)
	return p
}

func (m *mender) read(b block) error {
	text, err := b.plain()
	if err != nil {
		return err
	}
	p := m.patch(b)
	p.kept = make([]byte, 0, len(text))
	sum := newChecksum(b.stream, b.index)
	for at := 0; at < len(text); {
		r, why := recordAt(text[at:], sum)
		if why == "" {
			m.meet(p, r, text[at:], at)
			p.kept = append(p.kept, text[at:at+r.size]...)
			at += r.size
			continue
		}
		next := recordAfter(text, at, uint64(m.last), sum)
		end := next
		if next < 0 {
			end = len(text)
		}
		if b.interrupted(text, at, next, why) {
			break // the server cuts it off by itself
		}
		m.lose(p, at, end-at, why)
		p.differ = true
		at = end
	}
	p.last = m.last
	return nil
}

// meet is told of every whole record, and where in which block it is.
func (m *mender) meet(b *patch, r record, text []byte, at int) {
	p := events.Position(r.sequence)
	if r.tombstone {
		m.removed = max(m.removed, p)
		return
	}
	if len(m.open) == 0 && m.last > 0 && p > m.last+1 && !m.knows(m.last+1, p-1) {
		m.lose(b, at, 0, "what comes before this record is missing")
	}
	if len(m.open) > 0 && p > m.last {
		m.resolve(p - 1)
	}
	if p > m.last {
		m.last, m.stamp = p, bytes.Clone(text[12:20])
	}
}

// knows reports whether all of some messages are known to be lost.
func (m *mender) knows(from, through events.Position) bool {
	for _, d := range m.before {
		if d.From <= from {
			from = max(from, d.Through+1)
		}
	}
	return from > through
}

func (m *mender) lose(p *patch, at, size int, why string) {
	d := &Damage{Stream: p.block.stream, Block: filepath.Base(p.block.path), Offset: int64(at), Why: why}
	p.lost = append(p.lost, d)
	m.open = append(m.open, d)
	m.bytes += size
	m.places++
}

// resolve says of all open places which messages are lost.
func (m *mender) resolve(through events.Position) {
	from := m.last + 1
	if m.last == 0 { // nothing says where the stream began
		from = max(through+1-min(through, events.Position(m.bytes/minRecord)), m.removed+1)
	}
	if m.knows(from, through) {
		through = from - 1
	}
	for _, d := range m.open {
		d.From, d.Through = from, through
	}
	m.open, m.bytes = nil, 0
}

// end closes what is open behind the last record, or behind where the stream is known to have
// reached. What stands there goes into the block behind all others.
func (m *mender) end(behind block, known ends) {
	reached := known.Last[behind.stream]
	if m.last > 0 || m.removed < reached { // or everything was trimmed
		reached = max(reached, m.removed)
	} else {
		reached = 0
	}
	if m.last < reached && len(m.open) == 0 {
		size := blockBytes
		if known.Exact {
			size = 0
		}
		m.lose(m.patch(behind), 0, size, fmt.Sprintf("the stream ends before it, but it reached message %d", reached))
	}
	if len(m.open) == 0 {
		return
	}
	through := max(reached, m.last+events.Position(max(1, m.bytes/minRecord)))
	if m.last == 0 { // nothing of the whole stream is left
		m.bytes = int(through) * minRecord
	}
	m.resolve(through)
	p := m.patches[len(m.patches)-1]
	p.kept, p.differ = append(p.kept, p.block.empty(through+1, m.stamp)...), true
	p.last = through + 1
}

// empty is a record of a message without content.
func (b block) empty(p events.Position, stamp []byte) []byte {
	subject := map[string]string{streamUsed: subjectUses, streamSummary: summaryNone}[b.stream]
	r := make([]byte, recordHead, recordHead+len(subject)+checksumSize)
	binary.LittleEndian.PutUint32(r, uint32(cap(r)))
	binary.LittleEndian.PutUint64(r[4:], uint64(p))
	if stamp == nil {
		stamp = []byte{1, 0, 0, 0, 0, 0, 0, 0}
	}
	copy(r[12:], stamp)
	binary.LittleEndian.PutUint16(r[20:], uint16(len(subject)))
	r = append(r, subject...)
	sum := newChecksum(b.stream, b.index)
	sum.Write(r[4:20])
	sum.Write(r[recordHead:])
	return sum.Sum(r)
}

// apply sets the block aside, if something of it is lost, and puts another in its place, if that
// is to be another.
func (p *patch) apply(to aside) error {
	if len(p.lost) > 0 {
		if err := p.writeDown(to); err != nil {
			return err
		}
	}
	switch {
	case !p.differ:
		return nil
	case len(p.kept) == 0:
		return os.Remove(p.block.path)
	}
	if err := durable.MkdirAll(filepath.Dir(p.block.path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(p.block.path, p.kept, 0o600)
}

func (p *patch) writeDown(to aside) error {
	r := asideRecord{Stream: p.block.stream, Block: filepath.Base(p.block.path), Last: p.last, Gone: len(p.kept) == 0 && (p.differ || p.block.size == 0)}
	for _, d := range p.lost {
		r.Last = max(r.Last, d.Through)
		if d.From <= d.Through { // or nothing was in it but marks of what was trimmed
			r.Lost = append(r.Lost, *d)
		}
	}
	if p.differ && p.block.size > 0 {
		return to.put(p.block.path, r)
	}
	return to.note(r)
}

// plain is what a block holds, decompressed; zeros where it cannot be read or decoded.
func (b block) plain() ([]byte, error) {
	raw, err := readPatiently(b.path)
	if err != nil || !compressed(raw[:min(len(raw), compressedHead)]) {
		return raw, err
	}
	var info server.CompressionInfo
	n, err := info.UnmarshalMetadata(raw[:min(len(raw), compressedHead)])
	if err != nil || len(raw) < n+len(frameBegin)+checksumSize {
		return make([]byte, len(raw)), nil
	}
	w := frames{r: bytes.NewReader(raw[:len(raw)-checksumSize]), at: int64(n), end: int64(len(raw) - checksumSize)}
	why := w.walk()
	var text []byte
	for i, at := range w.heads {
		end := w.at
		if i+1 < len(w.heads) {
			end = w.heads[i+1]
		}
		text = append(text, decodeFrame(raw[at:end])...)
	}
	if why != "" || uint64(len(text)+checksumSize) != info.OriginalSize {
		return append(text, make([]byte, missingBytes(info.OriginalSize, len(text)))...), nil
	}
	return append(text, raw[len(raw)-checksumSize:]...), nil
}

// missingBytes is how much of a block is not there, as far as what it says of itself can be true.
func missingBytes(says uint64, have int) uint64 {
	const most = 64 << 20 // several times what a block holds
	if says > uint64(have) && says <= most {
		return says - uint64(have)
	}
	return minRecord
}

// decodeFrame is what a frame holds, or as many zeros if it is damaged.
func decodeFrame(frame []byte) []byte {
	part, want := frame[frameHead+frameCRC:], binary.LittleEndian.Uint32(frame[frameHead:])
	text, err := part, error(nil)
	if frame[0] == frameCompressed {
		text, err = s2.Decode(nil, part)
	}
	if err == nil && maskedCRC(text) == want {
		return text
	}
	size := len(part)
	if frame[0] == frameCompressed {
		if n, err := s2.DecodedLen(part); err == nil && n <= 8<<20 {
			size = n
		}
	}
	return make([]byte, size)
}

// maskedCRC is the checksum of a frame, as the framing format has it.
func maskedCRC(text []byte) uint32 {
	c := crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))
	return c>>15 | c<<17 + 0xa282ead8
}

// readPatiently is a file, with zeros where the disk does not give it.
func readPatiently(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	buf := make([]byte, info.Size())
	if _, err := io.ReadFull(f, buf); err == nil {
		return buf, nil
	}
	for at := 0; at < len(buf); at += sector {
		part := buf[at:min(at+sector, len(buf))]
		if _, err := f.ReadAt(part, int64(at)); err != nil {
			clear(part)
		}
	}
	return buf, nil
}

// areMendable reports whether a ledger can go on without a part of each of some streams.
func areMendable(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(mendable, name) })
}
