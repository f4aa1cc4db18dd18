package access

import (
	"encoding/binary"
	"net/netip"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections/row"
)

// The first byte of every key. The numbers are on disk.
const (
	spaceMeta   byte = 0x01
	spaceMonths byte = 0x10 // month, table, ...: what goes when a month is dropped
	spaceLast   byte = 0x20 // access key ID: what stays
)

// The tables of a month: the byte behind it. All that belongs to a month is one range, which
// is excised at once. The numbers are on disk.
const (
	tableRecords   byte = 0x01 // account, key, place
	tableTimeline  byte = 0x02 // account, class, newest time, position
	tableAddresses byte = 0x03 // address, account, key
	tableCounts    byte = 0x04 // key, day
)

func appendMonth(dst []byte, m month) []byte {
	return binary.BigEndian.AppendUint16(append(dst, spaceMonths), uint16(m))
}

// appendRecords appends what the keys of an access key's records begin with.
func appendRecords(dst []byte, m month, a events.AccountID, k events.AccessKeyID) []byte {
	dst = append(appendMonth(dst, m), tableRecords)
	return row.AppendText(row.AppendAccount(dst, a), k)
}

// appendTimeline appends what the keys of an account's timeline of a class begin with.
func appendTimeline(dst []byte, m month, a events.AccountID, class byte) []byte {
	dst = append(appendMonth(dst, m), tableTimeline)
	return append(row.AppendAccount(dst, a), class)
}

// appendAddress appends what the keys of an address in an account begin with; the access
// key ID follows, to the end.
func appendAddress(dst []byte, m month, ip netip.Addr, a events.AccountID) []byte {
	dst = append(appendMonth(dst, m), tableAddresses)
	if ip = ip.Unmap(); ip.Is4() {
		four := ip.As4()
		dst = append(append(dst, 4), four[:]...)
	} else {
		sixteen := ip.As16()
		dst = append(append(dst, 16), sixteen[:]...)
	}
	return row.AppendAccount(dst, a)
}

// appendCounts appends what the keys of an access key's counters begin with.
func appendCounts(dst []byte, m month, k events.AccessKeyID) []byte {
	return row.AppendText(append(appendMonth(dst, m), tableCounts), k)
}

func appendDay(dst []byte, d day) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(d)^1<<31)
}

func parseDay(b []byte) day { return day(binary.BigEndian.Uint32(b) ^ 1<<31) }

func lastKey(dst []byte, k events.AccessKeyID) []byte { return append(append(dst, spaceLast), k...) }

// behind is the first key that does not begin with prefix, which is not all ones.
func behind(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	end[len(end)-1]++
	return end
}
