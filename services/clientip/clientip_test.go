package clientip_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/clientip"
)

func proxies(t testing.TB, list ...string) clientip.Proxies {
	t.Helper()
	p, err := clientip.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClient(t *testing.T) {
	trusted := []string{"10.0.0.0/8", " 192.0.2.7", "2001:db8:1::/48", "::ffff:192.0.2.9"}
	for name, c := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"no proxy":                          {"198.51.100.1", nil, "198.51.100.1"},
		"a stranger who claims an address":  {"198.51.100.1", []string{"203.0.113.5"}, "198.51.100.1"},
		"a stranger who claims to be one":   {"198.51.100.1", []string{"203.0.113.5, 10.0.0.1"}, "198.51.100.1"},
		"a proxy that says nothing":         {"10.0.0.1", nil, "10.0.0.1"},
		"a proxy that says an empty line":   {"10.0.0.1", []string{""}, "10.0.0.1"},
		"one proxy":                         {"10.0.0.1", []string{"203.0.113.5"}, "203.0.113.5"},
		"what the client wrote before":      {"10.0.0.1", []string{"203.0.113.9, 203.0.113.5"}, "203.0.113.5"},
		"two proxies":                       {"10.0.0.1", []string{"203.0.113.5, 192.0.2.7"}, "203.0.113.5"},
		"two lines":                         {"10.0.0.1", []string{"203.0.113.9", "203.0.113.5,10.2.3.4"}, "203.0.113.5"},
		"the last line is the nearer":       {"10.0.0.1", []string{"10.2.3.4", "203.0.113.5"}, "203.0.113.5"},
		"proxies all the way":               {"10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"garbage":                           {"10.0.0.1", []string{"203.0.113.5, unknown"}, "10.0.0.1"},
		"garbage behind a proxy":            {"10.0.0.1", []string{"203.0.113.5, ?, 10.0.0.2"}, "10.0.0.2"},
		"garbage that the client wrote":     {"10.0.0.1", []string{"?, 203.0.113.5"}, "203.0.113.5"},
		"an empty entry":                    {"10.0.0.1", []string{"203.0.113.5,,10.0.0.2"}, "10.0.0.2"},
		"a port":                            {"10.0.0.1", []string{"203.0.113.5:4711"}, "203.0.113.5"},
		"IPv6":                              {"2001:db8:1::1", []string{"2001:db8:2::5"}, "2001:db8:2::5"},
		"IPv6 with a port":                  {"2001:db8:1::1", []string{"[2001:db8:2::5]:443"}, "2001:db8:2::5"},
		"IPv6 in brackets":                  {"2001:db8:1::1", []string{"[2001:db8:2::5]"}, "2001:db8:2::5"},
		"half a bracket":                    {"2001:db8:1::1", []string{"[2001:db8:2::5"}, "2001:db8:1::1"},
		"IPv6 with a zone":                  {"2001:db8:1::1", []string{"fe80::1%eth0"}, "2001:db8:1::1"},
		"a peer with a zone":                {"fe80::1%eth0", nil, "fe80::1"},
		"a peer mapped into IPv6":           {"::ffff:10.0.0.1", []string{"::ffff:203.0.113.5"}, "203.0.113.5"},
		"a hop mapped into IPv6":            {"192.0.2.9", []string{"203.0.113.5, ::ffff:10.0.0.1"}, "203.0.113.5"},
		"an address that reads like octal":  {"10.0.0.1", []string{"010.0.0.1"}, "10.0.0.1"},
		"outside of a network by one":       {"11.0.0.0", []string{"203.0.113.5"}, "11.0.0.0"},
		"a peer that is not known":          {"", []string{"203.0.113.5"}, "invalid IP"},
		"beside the single trusted address": {"192.0.2.8", []string{"203.0.113.5"}, "192.0.2.8"},
	} {
		peer, _ := netip.ParseAddr(c.peer)
		if got := proxies(t, trusted...).Client(peer, c.xff); got.String() != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	if got := proxies(t).Client(netip.MustParseAddr("10.0.0.1"), []string{"203.0.113.5"}); got.String() != "10.0.0.1" {
		t.Errorf("without a list: got %s", got)
	}
}

// TestBehind: the last entry is who the proxy spoke with, and is followed further if
// that is a trusted proxy.
func TestBehind(t *testing.T) {
	p := proxies(t, "10.0.0.0/8")
	for line, want := range map[string]string{
		"198.51.100.7":                       "198.51.100.7",
		"192.0.2.1, 198.51.100.7":            "198.51.100.7",
		"192.0.2.1, 198.51.100.7, 10.0.0.1":  "198.51.100.7",
		"192.0.2.1|198.51.100.7|10.0.0.1":    "198.51.100.7",
		"10.0.0.1":                           "10.0.0.1",
		"198.51.100.7, unknown":              "invalid IP",
		"198.51.100.7,":                      "invalid IP",
		"":                                   "invalid IP",
		"198.51.100.7, unknown, 10.0.0.1:80": "10.0.0.1",
	} {
		if got := p.Behind(strings.Split(line, "|")); got.String() != want {
			t.Errorf("%q: got %s, want %s", line, got, want)
		}
	}
	if got := p.Behind(nil); got.IsValid() {
		t.Errorf("without the header: got %s", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"":                   "not a network",
		"proxy.example.com":  "not a network",
		"10.0.0.0/33":        "not a network",
		"10.0.0.1 10.0.0.2":  "not a network",
		"fe80::1%eth0":       "not a network",
		"10.1.2.3/8":         "did you mean 10.0.0.0/8",
		"2001:db8::1/32":     "did you mean 2001:db8::/32",
		"0.0.0.0/0":          "everybody",
		"::/0":               "everybody",
		"::ffff:10.0.0.0/96": "write it as IPv4",
	} {
		if _, err := clientip.Parse([]string{"10.0.0.0/8", text}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got %v, want %q", text, err, says)
		}
	}
}

// FuzzClient: whatever a client writes before what a proxy has added changes nothing.
func FuzzClient(f *testing.F) {
	f.Add("203.0.113.5, 10.0.0.1")
	f.Add("[::1]:80,,\x00")
	p := proxies(f, "10.0.0.0/8")
	peer, want := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.1")
	f.Fuzz(func(t *testing.T, written string) {
		if got := p.Client(peer, []string{written, "198.51.100.1"}); got != want {
			t.Errorf("after %q: got %s", written, got)
		}
		if got := p.Client(want, []string{written}); got != want {
			t.Errorf("a stranger who wrote %q: got %s", written, got)
		}
	})
}

func TestSource(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := clientip.Source(netip.MustParseAddr(from)); got.String() != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
	if got := clientip.Source(netip.Addr{}); got.IsValid() {
		t.Errorf("no address: got %s", got)
	}
}
