package dialect_test

import (
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

func TestFirstDifference(t *testing.T) {
	for _, test := range []struct {
		theirs, ours string
		want         dialect.Difference
		found        bool
	}{
		{"", "", dialect.Difference{}, false},
		{"GET\n/\n", "GET\n/\n", dialect.Difference{}, false},
		{"GET\n/a b", "GET\n/a%20b", dialect.Difference{Line: 2, Column: 3, Theirs: "/a b", Ours: "/a%20b"}, true},
		{"GET\n/", "GET\n/\n", dialect.Difference{Line: 2, Column: 2, Theirs: "/", Ours: "/"}, true},
		{"GET\n/\nmore", "GET\n/", dialect.Difference{Line: 2, Column: 2, Theirs: "/", Ours: "/"}, true},
		{"", "GET", dialect.Difference{Line: 1, Column: 1, Ours: "GET"}, true},
		{"GET\r\n/", "GET\n/", dialect.Difference{Line: 1, Column: 4, Theirs: "GET\r", Ours: "GET"}, true},
		{"x\ny", "x\nz\n", dialect.Difference{Line: 2, Column: 1, Theirs: "y", Ours: "z"}, true},
	} {
		if got, found := dialect.FirstDifference([]byte(test.theirs), []byte(test.ours)); got != test.want || found != test.found {
			t.Errorf("%q and %q: got %+v, %t, want %+v", test.theirs, test.ours, got, found, test.want)
		}
	}
}

func TestClosest(t *testing.T) {
	claims := []dialect.Claim{
		{Scheme: "a", StringToSign: []byte("one\ntwo"), CanonicalRequest: []byte("GET\n/a%2Fb")},
		{Scheme: "b", StringToSign: []byte("one\nthree"), CanonicalRequest: []byte("GET\n/a/b")},
		{Scheme: "c", StringToSign: []byte("one\nthree more"), CanonicalRequest: []byte("GET\n/a/b/c")},
	}
	for _, test := range []struct{ signed, canonical, want string }{
		{"", "", "a"}, {"one\ntwo", "", "a"}, {"one\nthree", "", "b"}, {"one\nthree more or less", "", "c"},
		{"", "GET\n/a/", "b"}, {"", "GET\n/a/b", "b"}, {"nothing", "POST", "a"},
	} {
		if got := dialect.Closest(claims, []byte(test.signed), []byte(test.canonical)); got.Scheme != test.want {
			t.Errorf("%q, %q: got %s, want %s", test.signed, test.canonical, got.Scheme, test.want)
		}
	}
}

// FuzzFirstDifference: what stands before the place is the same in both, and what stands
// there is not.
func FuzzFirstDifference(f *testing.F) {
	f.Add("GET\n/", "GET\n/x")
	f.Add("\n\n", "\n")
	f.Fuzz(func(t *testing.T, theirs, ours string) {
		d, found := dialect.FirstDifference([]byte(theirs), []byte(ours))
		if found == (theirs == ours) {
			t.Fatalf("%q and %q: found %t", theirs, ours, found)
		}
		if found && d.Column > 1 && (len(d.Theirs) < d.Column-1 || len(d.Ours) < d.Column-1 || d.Theirs[:d.Column-1] != d.Ours[:d.Column-1]) {
			t.Fatalf("%q and %q: %+v", theirs, ours, d)
		}
	})
}

func TestDepartures(t *testing.T) {
	got := dialect.Departures([]byte("a\nb"), []byte("s"), []byte("a\nc"), []byte("s"))
	if len(got) != 1 || got[0] != (dialect.Departure{Of: "canonical_request", Line: 2, Column: 1, Client: "b", Server: "c"}) {
		t.Errorf("got %+v", got)
	}
	for _, nothing := range [][]dialect.Departure{
		dialect.Departures(nil, nil, []byte("a"), []byte("s")), // the client says nothing
		dialect.Departures([]byte("a"), []byte("s"), nil, nil), // there is nothing to hold it to
	} {
		if nothing == nil || len(nothing) != 0 {
			t.Errorf("got %+v", nothing)
		}
	}
}
