package dialect

import (
	"bytes"
	"strings"
)

// A Difference is where a client's own text (what it says that it signed) first
// parts from ours.
type Difference struct {
	Line   int    // from 1
	Column int    // in bytes, from 1
	Theirs string // the client's line; empty also where its text ends before
	Ours   string // ours; empty also where our text ends before
}

// FirstDifference is where theirs first parts from ours; found is false if they are the
// same to the byte.
func FirstDifference(theirs, ours []byte) (d Difference, found bool) {
	if bytes.Equal(theirs, ours) {
		return Difference{}, false
	}
	at := parting(theirs, ours)
	begin := bytes.LastIndexByte(ours[:at], '\n') + 1
	return Difference{
		Line: bytes.Count(ours[:at], []byte("\n")) + 1, Column: at - begin + 1,
		Theirs: line(theirs[begin:]), Ours: line(ours[begin:]),
	}, true
}

// A Departure is where a client's text of one kind first parts from ours.
type Departure struct {
	Of     string `json:"of" enum:"canonical_request,string_to_sign"`
	Line   int    `json:"line" doc:"from 1"`
	Column int    `json:"column" doc:"in bytes, from 1"`
	Client string `json:"client" doc:"the client's line"`
	Server string `json:"server" doc:"the server's line"`
}

// Departures are those of what a client says that it hashed and signed; an empty text says nothing, and there is none from
// a text that we do not have.
func Departures(theirCanonicalRequest, theirStringToSign, canonicalRequest, stringToSign []byte) []Departure {
	out := []Departure{}
	for _, text := range [...]struct {
		of           string
		theirs, ours []byte
	}{{"canonical_request", theirCanonicalRequest, canonicalRequest}, {"string_to_sign", theirStringToSign, stringToSign}} {
		if d, found := FirstDifference(text.theirs, text.ours); found && len(text.theirs) > 0 && len(text.ours) > 0 {
			out = append(out, Departure{text.of, d.Line, d.Column, d.Theirs, d.Ours})
		}
	}
	return out
}

// parting is how many bytes two texts have in common at their beginning.
func parting(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func line(text []byte) string {
	first, _, _ := strings.Cut(string(text), "\n")
	return first
}

// Closest is the claim whose texts have the most in common with what the client says that
// it signed; an empty text says nothing. It is the first if none is closer. There must be one.
func Closest(claims []Claim, stringToSign, canonicalRequest []byte) Claim {
	best, most := claims[0], -1
	for _, c := range claims {
		if n := common(stringToSign, c.StringToSign) + common(canonicalRequest, c.CanonicalRequest); n > most {
			best, most = c, n
		}
	}
	return best
}

// common is how much of a client's text is ours. The same to the byte is more than all of it.
func common(theirs, ours []byte) int {
	switch {
	case len(theirs) == 0:
		return 0
	case bytes.Equal(theirs, ours):
		return len(theirs) + 1
	}
	return parting(theirs, ours)
}
