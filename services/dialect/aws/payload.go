package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

const unsignedPayload = "UNSIGNED-PAYLOAD"

// A payload is the last line of a canonical request.
type payload struct {
	word    string // what the caller wrote there; "" to write sum
	sum     [sha256.Size]byte
	covered bool // the body is signed
}

// readPayload decides what stands for the body. The header is believed only
// where it agrees with the body; without it, the body's own hash is signed.
//
// UNSIGNED-PAYLOAD is S3's alone; a request to manage keys must not have a
// body that anyone can change.
func (a *assertion) readPayload(r *dialect.Request, h *headers) error {
	word := h.contentHash.value
	switch {
	case a.presigned && a.service == serviceS3:
		return malformed(CodePayloadUnsupported, "presigned S3 requests are not read here; sign with an Authorization header")
	case strings.HasPrefix(word, "STREAMING-"):
		return malformed(CodePayloadUnsupported, "streaming payloads are not read here; send the SHA-256 of the whole body in x-amz-content-sha256")
	case word == unsignedPayload && a.service != serviceS3:
		return malformed(CodePayloadUnsupported, "UNSIGNED-PAYLOAD is for S3 only; send the SHA-256 of the body in x-amz-content-sha256")
	case word == unsignedPayload:
		a.payload = payload{word: word}
		return nil
	}
	a.payload = payload{word: word, sum: r.SHA256(), covered: true}
	if !h.contentHash.there {
		return nil
	}
	return a.payload.agree()
}

// Digest is the SHA-256 that x-amz-content-sha256 names.
func (SigV4) Digest(r *dialect.Request) *[sha256.Size]byte {
	var sum [sha256.Size]byte
	word := r.Get("X-Amz-Content-Sha256")
	if len(word) != 2*len(sum) {
		return nil
	}
	if _, err := hex.Decode(sum[:], []byte(word)); err != nil {
		return nil
	}
	return &sum
}

func (p *payload) agree() error {
	var claimed [sha256.Size]byte
	if len(p.word) != 2*len(claimed) {
		return malformed(CodePayloadHash, "x-amz-content-sha256 must be the SHA-256 of the body in hexadecimal")
	}
	if _, err := hex.Decode(claimed[:], []byte(p.word)); err != nil {
		return malformed(CodePayloadHash, "x-amz-content-sha256 must be the SHA-256 of the body in hexadecimal")
	}
	if claimed != p.sum {
		return malformed(CodePayloadMismatch, "x-amz-content-sha256 is not the SHA-256 of the body that arrived")
	}
	return nil
}

func (p *payload) append(b []byte) []byte {
	if p.word != "" {
		return append(b, p.word...)
	}
	return hex.AppendEncode(b, p.sum[:])
}
