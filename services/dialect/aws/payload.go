package aws

import (
	"cmp"
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
	// Of a body in signed chunks: what is signed in turn, and the signatures as sent.
	parts      []part
	signatures []byte
}

// readPayload decides what stands for the body. The header is believed only where
// it agrees with the body; without it, the body's own hash is signed.
//
// UNSIGNED-PAYLOAD and bodies in chunks are S3's alone; a request to manage keys must not have
// a body that anyone can change. A presigned S3 request that does not say is UNSIGNED-PAYLOAD.
func (a *assertion) readPayload(r *dialect.Request, h *headers) error {
	word := h.contentHash.value
	ofS3 := a.service == serviceS3
	if ofS3 && a.presigned && !h.contentHash.there {
		word = cmp.Or(a.contentHash, unsignedPayload)
	}
	switch {
	case !ofS3 && (word == unsignedPayload || strings.HasPrefix(word, "STREAMING-")):
		return malformed(CodePayloadUnsupported, "UNSIGNED-PAYLOAD and streaming payloads are for S3 only; send the SHA-256 of the body in x-amz-content-sha256")
	case word == unsignedPayload, word == streamingUnsignedTrailer:
		a.payload = payload{word: word}
		return nil
	case word == streamingSigned, word == streamingSignedTrailer:
		return a.readStreaming(r, word)
	case strings.HasPrefix(word, "STREAMING-"):
		return malformed(CodePayloadUnsupported, "this streaming payload is not read here; want "+streamingSigned+", "+streamingSignedTrailer+" or "+streamingUnsignedTrailer)
	}
	a.payload = payload{word: word, sum: r.SHA256(), covered: true}
	if !h.contentHash.there && word == "" {
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
