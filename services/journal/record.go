package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math"

	"github.com/minio/highwayhash"
	"github.com/nats-io/nats-server/v2/server"
)

// A record of a block, as nats-server 2.15 lays it out (writeMsgRecordLocked in its
// filestore.go), all little-endian:
//
//	length of the record, with a bit for "has a header"    4
//	sequence, with bits for "erased" and "tombstone"       8
//	time                                                   8
//	length of the subject                                  2
//	subject
//	length of the header, and the header, if it has one    4 + n
//	message
//	checksum                                               8
//
// The checksum is over sequence, time, subject, header and message. An erased
// message has noise for its content and a checksum over it; a tombstone has no content.
const (
	recordHead   = 22
	checksumSize = 8

	// recordMost is what a client can make of a record: its server takes no larger message.
	recordMost = recordHead + math.MaxUint16 + 4 + server.MAX_PAYLOAD_SIZE + checksumSize

	// sequencesAhead is more than what one block can hold, or what USED trims at once.
	sequencesAhead = 1 << 40

	headerBit    = 1 << 31
	tombstoneBit = 1 << 62
	sequenceBits = 1<<62 - 1
)

// What can be wrong with a record.
const (
	recordIsCut   = "the record is longer than what is left of the block"
	recordIsShort = "the record is shorter than its parts, or longer than any can be"
	recordDiffers = "the record does not have the checksum it was written with"
	headerDiffers = "the header of the message does not end where the record says"
)

// The header of a message, as NATS writes it.
var (
	headerBegin = []byte("NATS/1.0")
	headerEnd   = []byte("\r\n\r\n")
)

type record struct {
	size      int
	sequence  uint64
	tombstone bool // it says that the message of another record is gone
}

// newChecksum is the hash that the records of a block are held to. Its key is made
// from the names of the stream and the block, so that a block in another's place shows.
func newChecksum(stream string, index uint32) hash.Hash {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, index))
	h, err := highwayhash.New64(key[:])
	if err != nil {
		panic(err) // the key has the right size
	}
	return h
}

// recordAt is the record that buf begins with. If it is not as it was written, why
// says what is wrong.
func recordAt(buf []byte, sum hash.Hash) (r record, why string) {
	if len(buf) < recordHead+checksumSize {
		return r, recordIsCut
	}
	length := binary.LittleEndian.Uint32(buf)
	r.size = int(length &^ headerBit)
	sequence := binary.LittleEndian.Uint64(buf[4:])
	r.sequence, r.tombstone = sequence&sequenceBits, sequence&tombstoneBit != 0
	subject := int(binary.LittleEndian.Uint16(buf[20:]))
	content := recordHead + subject
	if length&headerBit != 0 {
		content += 4
	}
	switch {
	case r.size < content+checksumSize || r.size > recordMost:
		return r, recordIsShort
	case r.size > len(buf):
		return r, recordIsCut
	}
	end := r.size - checksumSize
	sum.Reset()
	sum.Write(buf[4:20])
	sum.Write(buf[recordHead : recordHead+subject])
	sum.Write(buf[content:end])
	if !bytes.Equal(sum.Sum(nil), buf[end:r.size]) {
		return r, recordDiffers
	}
	// No checksum is over the header's length.
	if length&headerBit != 0 && !isHeader(buf[content:end], binary.LittleEndian.Uint32(buf[content-4:])) {
		return r, headerDiffers
	}
	return r, ""
}

// isHeader reports whether the first n bytes of content are a message's header.
func isHeader(content []byte, n uint32) bool {
	return int64(n) <= int64(len(content)) && bytes.HasPrefix(content[:n], headerBegin) && bytes.HasSuffix(content[:n], headerEnd)
}

// recordAfter is the offset of the next whole record behind a damaged one; -1 if
// none follows. last is the sequence of the one before.
func recordAfter(buf []byte, at int, last uint64, sum hash.Hash) int {
	for o := at + 1; o+recordHead+checksumSize <= len(buf); o++ {
		sequence := binary.LittleEndian.Uint64(buf[o+4:])
		if sequence <= last || sequence > last+sequencesAhead {
			continue // saves the checksum of nearly everything that is no record
		}
		if _, why := recordAt(buf[o:], sum); why == "" {
			return o
		}
	}
	return -1
}

// sector is what a disk writes whole or not at all.
const sector = 512

// unwritten reports whether a sector between two offsets of a block, or its last and
// shorter one, reads as zeros.
func unwritten(buf []byte, from, to int) bool {
	for s := (from + sector - 1) / sector * sector; s < to && (s+sector <= to || to == len(buf)); s += sector {
		if len(bytes.Trim(buf[s:min(s+sector, to)], "\x00")) == 0 {
			return true
		}
	}
	return false
}

// endsInRecord reports whether buf ends in a whole record, wherever it begins.
func endsInRecord(buf []byte, sum hash.Hash) bool {
	for o := len(buf) - recordHead - checksumSize; o >= 0; o-- {
		if int64(binary.LittleEndian.Uint32(buf[o:])&^headerBit) != int64(len(buf)-o) {
			continue
		}
		if _, why := recordAt(buf[o:], sum); why == "" {
			return true
		}
	}
	return false
}
