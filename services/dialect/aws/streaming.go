package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// Words of x-amz-content-sha256 for bodies in chunks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
const (
	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// A part is a chunk of a body, or its trailer, each of which has a signature of its own that is
// chained to the one before.
type part struct {
	trailer bool
	sum     [sha256.Size]byte // of the chunk, or of the trailer's lines
}

// readStreaming reads a body in signed chunks. Of one that is not at hand nothing can be
// said; then the signature covers no body.
func (a *assertion) readStreaming(r *dialect.Request, word string) error {
	a.payload = payload{word: word}
	if r.BodySum != nil {
		return nil
	}
	c := chunks{rest: string(r.Body)}
	for size := -1; size != 0; {
		var ok bool
		if size, ok = c.chunk(); !ok {
			return errChunks
		}
	}
	end := "\r\n"
	if word == streamingSignedTrailer {
		if !c.trailer() {
			return errChunks
		}
		end = ""
	}
	if c.rest != end {
		return errChunks
	}
	if want := r.Get("X-Amz-Decoded-Content-Length"); want != "" && want != strconv.Itoa(c.length) {
		return malformed(CodePayloadMismatch, "x-amz-decoded-content-length is not the length of the chunks that arrived")
	}
	a.payload.covered, a.payload.parts, a.payload.signatures = true, c.parts, c.signatures
	return nil
}

var errChunks = malformed(CodePayloadChunks,
	"the body must be chunks of SIZE;chunk-signature=SIGNATURE, SIZE in lower-case hexadecimal and the last one 0, with the trailer that x-amz-content-sha256 announces")

// chunks is a body that is being taken apart.
type chunks struct {
	rest       string
	parts      []part
	signatures []byte
	length     int
}

// chunk takes SIZE;chunk-signature=SIGNATURE CRLF DATA CRLF. The last one, of size 0, has no data
// and no line's end after it.
func (c *chunks) chunk() (size int, ok bool) {
	head, rest, ok := strings.Cut(c.rest, "\r\n")
	text, signature, named := strings.Cut(head, ";chunk-signature=")
	n, err := strconv.ParseUint(text, 16, 31)
	size = int(n)
	if !ok || !named || err != nil || strconv.FormatUint(n, 16) != text || !c.sign(signature) || len(rest) < size {
		return 0, false
	}
	data := rest[:size]
	c.parts, c.length = append(c.parts, part{sum: sha256.Sum256([]byte(data))}), c.length+size
	if c.rest = rest[size:]; size > 0 {
		c.rest, ok = strings.CutPrefix(c.rest, "\r\n")
	}
	return size, ok
}

// trailer takes lines of NAME:VALUE and x-amz-trailer-signature:SIGNATURE. Each ends with LF or CRLF;
// one client puts an empty line between the two.
func (c *chunks) trailer() bool {
	text, signature, ok := strings.Cut(c.rest, "x-amz-trailer-signature:")
	signature, end := strings.CutSuffix(signature, "\r\n\r\n")
	if !ok || !end || !c.sign(signature) {
		return false
	}
	var lines strings.Builder
	for text != "" && text != "\r\n" {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok || !strings.Contains(line, ":") {
			return false
		}
		lines.WriteString(strings.TrimSuffix(line, "\r") + "\n")
		text = rest
	}
	c.parts, c.rest = append(c.parts, part{trailer: true, sum: sha256.Sum256([]byte(lines.String()))}), ""
	return lines.Len() > 0
}

func (c *chunks) sign(signature string) bool {
	if !isHash(signature) {
		return false
	}
	c.signatures, _ = hex.AppendDecode(c.signatures, []byte(signature)) // its form was checked
	return true
}

// appendMAC appends the signature of stringToSign, and those of the parts of the body that
// are chained to it.
func (a *chain) appendMAC(out, secret []byte) []byte {
	key := a.credential.signingKey(secret)
	before := len(out)
	out = hmacSHA256(key[:], a.toSign, out)
	previous := out[before:]
	for _, p := range a.parts {
		signed := hmacSHA256(key[:], a.stringToSign(p, previous), nil)
		out, previous = append(out, signed...), signed
	}
	return out
}

// A chain is what a signature and those chained to it are made from.
type chain struct {
	credential credential
	stamp      string
	toSign     []byte
	parts      []part
}

var sumOfNothing = sha256.Sum256(nil)

func (a *chain) stringToSign(p part, previous []byte) []byte {
	word := algorithm + "-PAYLOAD\n"
	if p.trailer {
		word = algorithm + "-TRAILER\n"
	}
	b := append(make([]byte, 0, 384), word...)
	b = append(append(b, a.stamp...), '\n')
	b = append(append(b, a.credential.scope...), '\n')
	b = append(hex.AppendEncode(b, previous), '\n')
	if !p.trailer {
		b = append(hex.AppendEncode(b, sumOfNothing[:]), '\n')
	}
	return hex.AppendEncode(b, p.sum[:])
}
