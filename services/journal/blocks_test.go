package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
)

// mixed is a small installation with messages in LEDGER, USED and CELLS, and with
// a tombstone.
func mixed(t *testing.T) installation {
	t.Helper()
	in := installation{dir: t.TempDir(), last: 12}
	j := opened(t, testConfig(in.dir))
	filled(t, j, int(in.last))
	for i := range 5 {
		if _, err := j.AppendUses(t.Context(), fmt.Sprint("batch-", i), []byte(noise(i, 200))); err != nil {
			t.Fatal(err)
		}
	}
	var revision Revision
	for i := range 4 {
		var err error
		if revision, err = j.Cells().Put(t.Context(), "a", []byte(noise(i, 50)), revision); err != nil {
			t.Fatal(err)
		}
	}
	in.created = j.Created()
	closed(t, j)
	return in
}

func (in installation) check() error {
	return checkBlocks(keepOf(in.dir).streams, in.last)
}

// rewritten changes a file, runs f and puts the file back.
func rewritten(t *testing.T, path string, content []byte, f func()) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, content)
	f()
	write(t, path, before)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// changed is content with one byte changed.
func changed(content []byte, at int, with byte) []byte {
	c := append([]byte(nil), content...)
	c[at] ^= with
	return c
}

// wantDamage wants err to name the block and an offset that is not behind the damage.
func wantDamage(t *testing.T, err error, stream string, at int) {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) {
		t.Fatalf("%s, byte %d changed: got %v, want a refusal", stream, at, err)
	}
	var offset int
	_, after, _ := strings.Cut(r.Detail, "at offset ")
	if _, err := fmt.Sscanf(after, "%d", &offset); err != nil || offset > at || !strings.HasPrefix(r.Detail, "block 1.blk of stream "+stream+" ") {
		t.Fatalf("%s, byte %d changed: got %q, want the block and an offset", stream, at, r.Detail)
	}
}

// TestEveryByteOfABlock changes each byte of a small log that was stopped, and of
// one that was killed.
func TestEveryByteOfABlock(t *testing.T) {
	blocks, err := blocksIn(keepOf(mixed(t).dir).streams, 12)
	if err != nil || len(blocks) != 3 {
		t.Fatalf("got %d blocks, %v, want one of LEDGER, USED and CELLS", len(blocks), err)
	}
	for _, b := range blocks {
		whole := read(t, b.path)
		last := lastRecord(whole)
		for _, b.open = range []bool{false, true} {
			if err := b.checkRecords(whole); err != nil {
				t.Errorf("%s, nothing changed: %v", b, err)
			}
			for at := range whole {
				for _, with := range []byte{0x01, 0x80, 'Z' ^ whole[at]} {
					err := b.checkRecords(changed(whole, at, with))
					// Only of the last record of a log that was killed can it be that it was never
					// written to its end, and not of one that LEDGER was known to hold.
					cut := b.open && b.known == 0 && at >= last && at < last+4
					if with != 0 && (err != nil || !cut) {
						wantDamage(t, err, b.stream, at)
					}
				}
			}
		}
	}
}

// lastRecord is the offset of the last record of a block.
func lastRecord(buf []byte) (at int) {
	for next := 0; next < len(buf); next += int(binary.LittleEndian.Uint32(buf[next:]) &^ headerBit) {
		at = next
	}
	return at
}

// TestInterruptedWrite ends the newest block in what a crash leaves of a write that
// nobody was told of. The start goes on without it.
func TestInterruptedWrite(t *testing.T) {
	tests := map[string]func(buf []byte, last int) []byte{
		"a part of a head":   func(buf []byte, last int) []byte { return append(buf, buf[last:last+10]...) },
		"a part of a record": func(buf []byte, last int) []byte { return append(buf, buf[last:len(buf)-20]...) },
		"zeros":              func(buf []byte, _ int) []byte { return append(buf, make([]byte, 3000)...) },
		"zeros after a head": func(buf []byte, last int) []byte {
			return append(append(buf, buf[last:last+30]...), make([]byte, len(buf)-last-30)...)
		},
		"whole records after zeros": func(buf []byte, _ int) []byte {
			first := nextRecord(buf, 12, 3000)
			second := nextRecord(buf, 13, 100)
			clear(first[100:2900])
			return append(append(buf, first...), second...)
		},
	}
	for name, crash := range tests {
		t.Run(name, func(t *testing.T) {
			in := mixed(t)
			path := in.block(t, 1)
			buf := read(t, path)
			write(t, path, crash(buf, lastRecord(buf)))
			j := opened(t, in.config())
			if last, err := j.Last(t.Context()); err != nil || last != in.last {
				t.Errorf("last: got %d, %v, want %d", last, err, in.last)
			}
			if err := j.Check(t.Context(), nil); err != nil {
				t.Errorf("check: %v", err)
			}
			if p, err := j.Append(t.Context(), logtest.Decision(logtest.Keyring(99), 0)); err != nil || p != in.last+1 {
				t.Errorf("append: got %d, %v", p, err)
			}
		})
	}
}

// nextRecord is a record of LEDGER behind a sequence, with so much content.
func nextRecord(_ []byte, sequence uint64, size int) []byte {
	r := make([]byte, recordHead, recordHead+size+checksumSize)
	binary.LittleEndian.PutUint32(r, uint32(recordHead+size+checksumSize))
	binary.LittleEndian.PutUint64(r[4:], sequence+1)
	r = append(r, noise(int(sequence), size)...)
	sum := newChecksum(streamLedger, 1)
	sum.Write(r[4:20])
	sum.Write(r[recordHead:])
	return sum.Sum(r)
}

// TestAnsweredForIsNotCut damages what follows the last position that is known, and
// what does not: a server would cut off both.
func TestAnsweredForIsNotCut(t *testing.T) {
	for _, test := range []struct {
		name   string
		known  events.Position
		damage func(buf []byte) []byte
		guard  string // empty: accepted
		says   string
	}{
		{"a flipped bit", 0, func(b []byte) []byte { return changed(b, 200, 1) }, GuardContent, "does not have the checksum"},
		{"the last one is gone", 12, func(b []byte) []byte { return b[:lastRecord(b)] }, GuardTail, "after position 11, but LEDGER reached position 12 before: its tail is cut"},
		{"the last one is gone, and is not known", 11, func(b []byte) []byte { return b[:lastRecord(b)] }, "", ""},
		{"the last one is cut", 12, func(b []byte) []byte { return b[:len(b)-1] }, GuardTail, "after position 11, but LEDGER reached position 12 before: its tail is cut"},
		{"the last one is cut, and is not known", 11, func(b []byte) []byte { return b[:len(b)-1] }, "", ""},
		{"zeros over the last one", 12, func(b []byte) []byte { clear(b[lastRecord(b):]); return b }, GuardTail, "its tail is cut"},
	} {
		in := mixed(t)
		in.dropIndex(t)
		path := in.block(t, 1)
		write(t, path, test.damage(read(t, path)))
		in.last = test.known
		err := in.check()
		if test.guard == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if r := wantRefused(t, err, test.guard); !strings.Contains(r.Detail, test.says) {
			t.Errorf("%s: got %q, want it to say %q", test.name, r.Detail, test.says)
		}
	}
}

// TestOldBlocksAreWhole damages blocks behind which others follow.
func TestOldBlocksAreWhole(t *testing.T) {
	in := mixed(t)
	path := in.block(t, 1)
	whole := read(t, path)
	write(t, filepath.Join(filepath.Dir(path), "2.blk"), nil) // an empty one comes with nothing
	in.dropIndex(t)
	if err := in.check(); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(filepath.Dir(path), "10.blk")
	write(t, second, whole)
	wantRefused(t, in.check(), GuardContent) // the checksums are those of another block
	write(t, second, whole[:20])
	if err := in.check(); err != nil {
		t.Fatal(err)
	}
	rewritten(t, path, whole[:len(whole)-1], func() {
		if r := wantRefused(t, in.check(), GuardWhole); !strings.Contains(r.Detail, "block 1.blk of stream LEDGER is cut") {
			t.Errorf("got %q", r.Detail)
		}
	})
}

// TestCompressedBlock changes bytes of a compressed block: each is seen before the
// server starts or by the server when it decodes the block, and never lets it pass
// over a part. The bytes outside of the frames' content have to be seen before.
func TestCompressedBlock(t *testing.T) {
	in := mixed(t)
	path := in.block(t, 1)
	content := records(streamLedger, 1, 2600, func(n int) string { return strings.Repeat(noise(n, 20), 40) })
	whole := compressedBlock(t, content)
	head := bytes.Index(whole, frameBegin)
	write(t, path, whole)
	if err := in.check(); err != nil {
		t.Fatal(err)
	}
	must := outsideFrames(t, whole, head)
	const stride = 499
	for at := 0; at < len(whole); at++ {
		if !must[at] && at%stride != 0 {
			continue
		}
		for _, with := range []byte{0x01, 0x80} {
			c := changed(whole, at, with)
			write(t, path, c)
			if err := in.check(); err != nil {
				wantDamage(t, err, streamLedger, len(whole)) // a length is missed where the next begins
			} else if text, err := server.S2Compression.Decompress(c[head:]); must[at] || err == nil && !bytes.Equal(text, content) {
				t.Fatalf("byte %d of %d changed: nobody has seen it", at, len(whole))
			}
		}
	}
	for _, n := range []int{5, 12, 20, len(whole) / 2, len(whole) - 9, len(whole) - 8, len(whole) - 1} {
		write(t, path, whole[:n])
		wantDamage(t, in.check(), streamLedger, n)
	}
}

// outsideFrames are the bytes of a compressed block that no CRC is over: its head,
// the heads of its frames but their CRC, the checksum at the end.
func outsideFrames(t *testing.T, whole []byte, head int) map[int]bool {
	t.Helper()
	out := map[int]bool{}
	add := func(from, n int) {
		for i := range n {
			out[from+i] = true
		}
	}
	add(0, head+len(frameBegin))
	n := 0
	for at := head + len(frameBegin); at < len(whole)-checksumSize; n++ {
		add(at, frameHead)
		at += frameHead + int(whole[at+1]) + int(whole[at+2])<<8 + int(whole[at+3])<<16
	}
	add(len(whole)-checksumSize, checksumSize)
	if n < 2 {
		t.Fatalf("the block has %d frames, want some", n)
	}
	return out
}

// compressedBlock is a block as the server writes it when it is full.
func compressedBlock(t testing.TB, plain []byte) []byte {
	t.Helper()
	info := server.CompressionInfo{Algorithm: server.S2Compression, OriginalSize: uint64(len(plain))}
	text, err := info.Algorithm.Compress(bytes.Clone(plain))
	if err != nil {
		t.Fatal(err)
	}
	return append(info.MarshalMetadata(), text...)
}

// records is an uncompressed block of so many records.
func records(stream string, index uint32, n int, message func(n int) string) (buf []byte) {
	sum := newChecksum(stream, index)
	for i := range n {
		buf = appendRecord(buf, uint64(i+1), message(i), sum)
	}
	return buf
}

// appendRecord adds a record with a header, as the server lays it out.
func appendRecord(buf []byte, sequence uint64, message string, sum hash.Hash) []byte {
	const subject, header = "ledger.123456789012", "NATS/1.0\r\nA: b\r\n\r\n"
	size := recordHead + len(subject) + 4 + len(header) + len(message) + checksumSize
	at := len(buf)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(size)|headerBit)
	buf = binary.LittleEndian.AppendUint64(buf, sequence)
	buf = binary.LittleEndian.AppendUint64(buf, uint64(time.Unix(1_800_000_000, 0).UnixNano()))
	buf = binary.LittleEndian.AppendUint16(buf, uint16(len(subject)))
	buf = append(buf, subject...)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(header)))
	buf = append(append(buf, header...), message...)
	sum.Reset()
	sum.Write(buf[at+4 : at+20])
	sum.Write([]byte(subject + header + message))
	return sum.Sum(buf)
}

// TestDamagedStarts starts a real server on a log of which one byte of one file is
// changed, in another process, because the server might never answer. Each start is
// refused by a guard, or what it serves is what was written, or it names what is lost.
func TestDamagedStarts(t *testing.T) {
	if dir := os.Getenv("JOURNAL_TEST_DAMAGE"); dir != "" {
		damagedStarts(t, dir)
		return
	}
	in := mixed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDamagedStarts$")
	child.Env = append(os.Environ(), "JOURNAL_TEST_DAMAGE="+in.dir)
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out[:min(len(out), 4000)])
	}
}

func damagedStarts(t *testing.T, dir string) {
	const memory = 8 << 30 // of addresses; a server that takes more is one that never ends
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: memory, Max: memory}); err != nil {
		t.Fatal(err)
	}
	in := installation{dir: dir, last: 12}
	copied := filepath.Join(t.TempDir(), "copied")
	want := ""
	start := func(file string, at int) {
		remove(t, copied)
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if file != "" {
			path := filepath.Join(copied, file)
			write(t, path, changed(read(t, path), at, 0x55))
		}
		os.Stdout.WriteString(fmt.Sprintf("%s %d\n", file, at)) // the last one, if this process is killed
		c := installation{dir: copied, last: in.last}.config()
		j, err := Open(t.Context(), c)
		var r *RefusedError
		switch {
		case err == nil && file == "":
			want = served(t, j)
		case err == nil && len(j.Unacknowledged()) > 0:
			if d := j.Unacknowledged()[0]; d.Stream != streamUsed || !strings.Contains(file, streamUsed+"/msgs/1.blk") {
				t.Errorf("%s, byte %d changed: it says %v", file, at, d)
			}
		case err == nil:
			if got := served(t, j); got != want {
				t.Errorf("%s, byte %d changed: it serves something else", file, at)
			}
		case !errors.As(err, &r):
			t.Errorf("%s, byte %d changed: got %v, want a refusal", file, at, err)
		}
		if err == nil {
			closed(t, j)
		}
	}
	start("", 0)
	for _, stream := range []string{streamLedger, streamUsed, streamCells} {
		at := filepath.Join("jetstream", "$G", "streams", stream)
		for file, stride := range map[string]int{"msgs/1.blk": 1997, "msgs/index.db": 61, "meta.inf": 211, "meta.sum": 11} {
			for i := stride / 2; i < len(read(t, filepath.Join(dir, at, file))); i += stride {
				start(filepath.Join(at, file), i)
			}
		}
	}
	ledger := filepath.Join("jetstream", "$G", "streams", streamLedger, "msgs", "1.blk")
	start(ledger, lastRecord(read(t, filepath.Join(dir, ledger)))+9) // far up in the last sequence
}

// served is a digest of everything that a journal gives out.
func served(t *testing.T, j *Journal) string {
	t.Helper()
	h := sha256.New()
	for m, err := range j.Read(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%d %v\n", m.Position, m)
	}
	last, err := j.LastUse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range uses(t, j, 0, int(last)) {
		fmt.Fprintln(h, u)
	}
	v, revision, err := j.Cells().Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(h, string(v), revision)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestLackIsNoDamage: where the process has run out of something, a block that it cannot read is none that is damaged.
func TestLackIsNoDamage(t *testing.T) {
	b := block{stream: streamUsed, path: "1.blk", index: 1}
	for lacking, damaged := range map[error]bool{syscall.EMFILE: false, syscall.ENFILE: false, syscall.ENOMEM: false, syscall.EIO: true, io.ErrUnexpectedEOF: true} {
		err := b.unreadable(&fs.PathError{Op: "open", Path: b.path, Err: lacking})
		if _, refused := errors.AsType[*RefusedError](err); refused != damaged || !errors.Is(err, lacking) && !damaged {
			t.Errorf("%v: got %v", lacking, err)
		}
	}
}
