package dialect

import "sync"

// A Scratch is memory that the claims of one request are read into. They live until it is released, and
// no longer. A Scratch that is never released belongs to its claims, and new(Scratch) makes one of those.
//
// What lies in it is the claims and their bytes: signature, canonical request, string to sign. Their strings never do, so
// that an access record or an answer may hold on to those for as long as it likes.
type Scratch struct {
	claims [maxReadings]Claim
	read   int // how many of the claims are in use
	room   []byte
}

const (
	maxReadings = 4        // no scheme reads a request in more ways
	firstRoom   = 1 << 10  // bytes; most requests need less
	mostRoom    = 16 << 10 // bytes that are kept for the next request
)

var scratches = sync.Pool{New: func() any { return new(Scratch) }}

// NewScratch returns memory that is released when nobody needs its claims.
func NewScratch() *Scratch { return scratches.Get().(*Scratch) }

// Release gives the memory to the next request. It is wiped first: a claim that somebody still holds
// holds for nothing.
func (s *Scratch) Release() {
	clear(s.claims[:s.read])
	clear(s.room)
	if s.read, s.room = 0, s.room[:0]; cap(s.room) > mostRoom {
		s.room = nil
	}
	scratches.Put(s)
}

// Claims returns room for the claims of a request, all of them zero. It is for a Scheme that has a claim to make, once.
func (s *Scratch) Claims(n int) []Claim {
	if n > len(s.claims) {
		return make([]Claim, n)
	}
	clear(s.claims[:s.read]) // nobody has read into it since it was wiped, or a scheme gave up
	s.read = max(s.read, n)
	return s.claims[:n:n]
}

// Bytes returns an empty slice with room for n bytes. What is appended beyond them goes elsewhere, as with any
// slice, and nobody else's bytes are touched.
func (s *Scratch) Bytes(n int) []byte {
	at := len(s.room)
	if cap(s.room)-at < n {
		s.room, at = make([]byte, 0, max(n, firstRoom)), 0 // what was there stays with whoever has it
	}
	s.room = s.room[:at+n]
	return s.room[at : at : at+n]
}
