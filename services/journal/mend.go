package journal

import (
	"bytes"
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

// minRecord is the smallest that a record can be.
const minRecord = recordHead + checksumSize

// mend reads every block of a stream, wholly, sets those aside that do not hold what was
// written, and puts blocks in their place that hold every whole record of theirs. No
// server may run. It says at how many places something is wrong.
//
// Positions are never given anew: where the end of the stream is lost, an empty message
// follows at a position that what was there cannot have reached.
func (k keep) mend(stream string) (places int, err error) {
	dir := filepath.Join(k.streams, stream, "msgs")
	blocks, err := blocksOf(dir, stream)
	if err != nil {
		return 0, err
	}
	m := mender{}
	for _, b := range blocks {
		if err := m.read(b); err != nil {
			return 0, fmt.Errorf("journal: read what is left of %s: %w", b, err)
		}
	}
	m.end()
	if m.places == 0 {
		return 0, nil
	}
	// The server's index vouches for blocks as they were.
	if err := os.Remove(filepath.Join(dir, "index.db")); err != nil && !errors.Is(err, os.ErrNotExist) {
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
	patches []*patch
	places  int
	last    events.Position // of the records so far
	stamp   []byte          // the time of that one, as it is in a record
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

func (m *mender) read(b block) error {
	text, err := b.plain()
	if err != nil {
		return err
	}
	if n := len(m.patches); n > 0 && !m.patches[n-1].differ {
		m.patches[n-1].kept = nil // as it is on disk
	}
	p := &patch{block: b, kept: make([]byte, 0, len(text))}
	m.patches = append(m.patches, p)
	sum := newChecksum(b.stream, b.index)
	for at := 0; at < len(text); {
		r, why := recordAt(text[at:], sum)
		if why == "" {
			m.meet(r, text[at:])
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
		at = end
	}
	p.last = m.last
	return nil
}

// meet is told of every whole record.
func (m *mender) meet(r record, text []byte) {
	if r.tombstone {
		return
	}
	p := events.Position(r.sequence)
	if len(m.open) > 0 && p > m.last {
		m.resolve(p - 1)
	}
	if p > m.last {
		m.last, m.stamp = p, bytes.Clone(text[12:20])
	}
}

func (m *mender) lose(p *patch, at, size int, why string) {
	d := &Damage{Stream: p.block.stream, Block: filepath.Base(p.block.path), Offset: int64(at), Why: why}
	p.lost, p.differ = append(p.lost, d), true
	m.open = append(m.open, d)
	m.bytes += size
	m.places++
}

// resolve says of all open places which messages are lost.
func (m *mender) resolve(through events.Position) {
	from := m.last + 1
	if m.last == 0 { // nothing says where the stream began
		from = through + 1 - min(through, events.Position(m.bytes/minRecord))
	}
	for _, d := range m.open {
		d.From, d.Through = from, through
	}
	m.open, m.bytes = nil, 0
}

// end closes what is open behind the last record.
func (m *mender) end() {
	if len(m.open) == 0 {
		return
	}
	through := m.last + events.Position(max(1, m.bytes/minRecord))
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

// apply sets the block aside, if it is not what it must be, and puts another in its place.
func (p *patch) apply(to aside) error {
	if !p.differ {
		return nil
	}
	if len(p.lost) > 0 {
		r := asideRecord{Stream: p.block.stream, Block: filepath.Base(p.block.path), Last: p.last}
		for _, d := range p.lost {
			r.Last = max(r.Last, d.Through)
			if d.From <= d.Through { // or nothing was in it but marks of what was trimmed
				r.Lost = append(r.Lost, *d)
			}
		}
		if err := to.put(p.block.path, r); err != nil {
			return err
		}
	}
	if len(p.kept) == 0 {
		return os.Remove(p.block.path)
	}
	return durable.WriteFile(p.block.path, p.kept, 0o600)
}

// interrupted reports whether a record that is not whole is a write that was interrupted,
// which nobody was told of: the server cuts it off. See judge.
func (b block) interrupted(buf []byte, at, next int, why string) bool {
	cut := next < 0 && (why == recordIsCut || unwritten(buf, at, len(buf)))
	return b.open && (cut || next > 0 && unwritten(buf, at, next))
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
