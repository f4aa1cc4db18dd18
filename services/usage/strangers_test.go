package usage_test

import (
	"net/netip"
	"testing"

	"github.com/keyledger/keyledger/services/usage"
)

// TestStrangers has one source hide among ten thousand others, and one that has many addresses
// be one.
func TestStrangers(t *testing.T) {
	r := usage.New(config(stub{}))
	defer ended(t, r)
	busy, network := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8:1:2::")
	for i := range 10_000 {
		_, _ = r.Stranger(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		if i%5 == 0 {
			_, _ = r.Stranger(busy)
			_, _ = r.Stranger(netip.AddrFrom16(busy.As16()))
		}
		if i%10 == 0 {
			b := network.As16()
			b[15], b[14] = byte(i), byte(i>>8)
			_, _ = r.Stranger(netip.AddrFrom16(b))
		}
	}
	_, _ = r.Stranger(netip.Addr{}) // of an address that nobody knows there is nothing but the sum
	most := r.Strangers(2)
	if len(most) != 2 || most[0].Prefix.String() != "203.0.113.9/32" || most[1].Prefix.String() != "2001:db8:1:2::/64" {
		t.Fatalf("got %+v", most)
	}
	for i, want := range []uint64{4000, 1000} {
		if got := most[i]; got.Count < want || got.Count-got.More > want || !got.Last.Equal(noon) {
			t.Errorf("got %+v, want %d of them", got, want)
		}
	}
	if n := len(r.Strangers(1 << 20)); n != 1024 {
		t.Errorf("%d sources are told apart, want 1024", n)
	}
	if s := r.Stats(); s.Unknown != 15_001 {
		t.Errorf("counted %d, want 15001", s.Unknown)
	}
}
