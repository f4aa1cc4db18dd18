// Package row is how rows are spelled in bytes: the parts of keys, whose byte
// order is the order of what they stand for, and the fields of values.
//
// The way in: the Append functions write a part behind what is there; a
// [Parser] reads the parts back in the same order and ends with [Parser.Done].
//
// The limits: parts carry neither names nor tags, so that a value begins with a
// version byte of its owner's. Parsing is total and strict: what Append could not
// have written is an error, and nothing may be left over.
package row

import (
	"encoding/binary"
	"math"
	"time"
)

// AppendUint64 appends v in eight bytes, the highest first: byte order is
// numeric order.
func AppendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// AppendDescending appends v in eight bytes so that byte order is numeric
// order reversed: the newest position first.
func AppendDescending(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, ^v) }

// AppendUvarint appends v in one to ten bytes. It has no order.
func AppendUvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendBool appends one byte, 0 or 1.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendString appends the length of s and s. It has no order.
func AppendString[S ~string](dst []byte, s S) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// AppendBytes appends the length of b and b. It has no order.
func AppendBytes(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// AppendText appends s so that byte order is the order of s whatever follows:
// a zero byte is written 00 FF, and 00 01 ends the text.
func AppendText[S ~string](dst []byte, s S) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// AppendTime appends t to the nanosecond, in one byte if t is zero. It has no
// order.
func AppendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	dst = binary.AppendVarint(dst, t.Unix())
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}

// Bounds of the times that an instant can tell apart.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// Instant is t as a number whose order is the order of time: nanoseconds since
// 1970 with the sign bit turned. Times before 1678 or after 2262 are the nearest that fits.
func Instant(t time.Time) uint64 {
	switch {
	case t.Before(earliest):
		return 0
	case t.After(latest):
		return math.MaxUint64
	}
	return uint64(t.UnixNano()) ^ 1<<63
}

// InstantTime is the inverse of Instant, in UTC.
func InstantTime(v uint64) time.Time { return time.Unix(0, int64(v^1<<63)).UTC() }
