package huawei

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/keyledger/keyledger/services/dialect"
)

const unsignedPayload = "UNSIGNED-PAYLOAD"

// A payload is the last line of a canonical request.
type payload struct {
	word    string // what the caller wrote there; "" to write sum
	sum     [sha256.Size]byte
	covered bool // the body is signed
}

// readPayload decides what stands for the body. The header is believed only where
// it agrees with the body; without it, the body's own hash is signed. SDKs send
// UNSIGNED-PAYLOAD with every body that is not JSON.
func (a *assertion) readPayload(r *dialect.Request, hash line) error {
	if hash.value == unsignedPayload {
		a.payload = payload{word: unsignedPayload}
		return nil
	}
	a.payload = payload{word: hash.value, sum: r.SHA256(), covered: true}
	if !hash.there {
		return nil
	}
	claimed, ok := readDigest(hash.value)
	switch {
	case !ok:
		return malformed(CodePayloadHash, "X-Sdk-Content-Sha256 must be the SHA-256 of the body in hexadecimal, or UNSIGNED-PAYLOAD")
	case claimed != a.payload.sum:
		return malformed(CodePayloadMismatch, "X-Sdk-Content-Sha256 is not the SHA-256 of the body that arrived")
	}
	return nil
}

// digest is the SHA-256 that X-Sdk-Content-Sha256 names, nil if it names none.
func digest(r *dialect.Request) *[sha256.Size]byte {
	if sum, ok := readDigest(r.Get("X-Sdk-Content-Sha256")); ok {
		return &sum
	}
	return nil
}

// readDigest reads hexadecimal digits of either case.
func readDigest(word string) (sum [sha256.Size]byte, ok bool) {
	if len(word) != 2*len(sum) {
		return sum, false
	}
	_, err := hex.Decode(sum[:], []byte(word))
	return sum, err == nil
}

func (p *payload) append(b []byte) []byte {
	if p.word != "" {
		return append(b, p.word...)
	}
	return hex.AppendEncode(b, p.sum[:])
}
