package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats-server/v2/server"
)

// A compressed block, as nats-server 2.15 writes it (Compress in its filestore.go):
// "cmp" and the kind of compression, the size of what is compressed as a uvarint, a
// stream of S2 frames, and the checksum of the last record as it is.
//
// A frame is its type, its length in 3 bytes, and for data the CRC-32C of what it
// decodes to; https://github.com/google/snappy/blob/main/framing_format.txt. The
// server looks at the CRC of every frame it decodes, but passes over frames of a type
// that is reserved, and does not miss frames at the end.
const (
	compressedHead = 4 + binary.MaxVarintLen64

	frameHead       = 4
	frameCompressed = 0x00
	framePlain      = 0x01
	frameCRC        = 4
)

// frameBegin is the first frame of a stream.
var frameBegin = []byte("\xff\x06\x00\x00S2sTwO")

// compressed reports whether a block begins like a compressed one.
func compressed(head []byte) bool {
	var info server.CompressionInfo
	n, err := info.UnmarshalMetadata(head)
	return n > 0 || err != nil
}

// checkCompressed holds the frames of a compressed block to what the server does not
// look at: that they are all there, and the checksum at the end. It reads the heads
// of the frames and decodes the last ones only.
func (b block) checkCompressed(f *os.File) error {
	var info server.CompressionInfo
	head := make([]byte, min(b.size, compressedHead))
	if _, err := f.ReadAt(head, 0); err != nil {
		return b.unreadable(err)
	}
	n, err := info.UnmarshalMetadata(head)
	if err != nil {
		return refused(GuardContent, "%s is damaged: at offset 4: %v", b, err)
	}
	w := frames{r: io.NewSectionReader(f, 0, b.size-checksumSize), at: int64(n), end: b.size - checksumSize}
	if why := w.walk(); why != "" {
		return refused(GuardContent, "%s is damaged: at offset %d, %s", b, w.at, why)
	}
	if w.decoded+checksumSize != info.OriginalSize {
		return refused(GuardContent, "%s is damaged: at offset 4, it says that it holds %d bytes, but its frames hold %d", b, info.OriginalSize, w.decoded+checksumSize)
	}
	return b.checkLast(f, w.heads)
}

// frames walks the heads of frames.
type frames struct {
	r       io.ReaderAt
	at, end int64
	decoded uint64  // what the frames so far hold
	heads   []int64 // where the frames with data begin
}

// walk comes to the end, or to a frame that is not as it should be and why.
func (w *frames) walk() (why string) {
	begin := make([]byte, len(frameBegin))
	if n, _ := w.r.ReadAt(begin, w.at); !bytes.Equal(begin[:n], frameBegin) {
		return "no stream of frames begins"
	}
	for w.at += int64(len(frameBegin)); w.at < w.end; {
		size, holds, why := w.frame()
		if why != "" {
			return why
		}
		w.heads = append(w.heads, w.at)
		w.at += size
		w.decoded += holds
	}
	return ""
}

// frame is the size of the frame at w.at with its head, and how much data it holds.
func (w *frames) frame() (size int64, holds uint64, why string) {
	head := make([]byte, frameHead+frameCRC+binary.MaxVarintLen32)
	n, _ := w.r.ReadAt(head, w.at)
	head = head[:n]
	if len(head) < frameHead+frameCRC {
		return 0, 0, "a frame is longer than what is left of the block"
	}
	length := int64(head[1]) | int64(head[2])<<8 | int64(head[3])<<16
	size = frameHead + length
	switch {
	case size > w.end-w.at:
		return 0, 0, "a frame is longer than what is left of the block"
	case length < frameCRC:
		return 0, 0, "a frame is too short for its checksum"
	case head[0] == framePlain:
		return size, uint64(length - frameCRC), ""
	case head[0] != frameCompressed:
		return 0, 0, fmt.Sprintf("a frame is of type %#02x, which no block has", head[0])
	}
	holds, n = binary.Uvarint(head[frameHead+frameCRC:])
	if n <= 0 {
		return 0, 0, "a frame does not say what it holds"
	}
	return size, holds, ""
}

// checkLast holds the last record to the checksum at the end of the block, which no
// CRC is over. It decodes no more frames than the record is in.
func (b block) checkLast(f *os.File, heads []int64) error {
	sum := newChecksum(b.stream, b.index)
	end := b.size - checksumSize
	text := make([]byte, checksumSize)
	if _, err := f.ReadAt(text, end); err != nil {
		return b.unreadable(err)
	}
	for _, at := range slices.Backward(heads) {
		frame := make([]byte, end-at)
		if _, err := f.ReadAt(frame, at); err != nil {
			return b.unreadable(err)
		}
		part := frame[frameHead+frameCRC:]
		if frame[0] == frameCompressed {
			var err error
			if part, err = s2.Decode(nil, part); err != nil {
				return refused(GuardContent, "%s is damaged: at offset %d, a frame cannot be decoded: %v", b, at, err)
			}
		}
		text = append(slices.Clip(part), text...)
		if endsInRecord(text, sum) {
			return nil
		}
		end = at
	}
	return refused(GuardContent, "%s is damaged: at offset %d, its last record does not have the checksum it was written with", b, b.size-checksumSize)
}
