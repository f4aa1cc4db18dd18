package dialect

import (
	"crypto/sha1" //nolint:gosec // it is what some vendors sign with; as HMAC it stands
	"crypto/sha256"
	"crypto/subtle"
)

// HMACSHA256 and HMACSHA1 are what crypto/hmac computes, without the six allocations that it
// makes for each key: a request is checked by up to six of them, each with a key of its own, over
// texts shorter than those allocations. The hashes are the library's, and live on the stack because the compiler sees which
// they are. https://www.rfc-editor.org/rfc/rfc2104 section 2

// HMACSHA256 is the HMAC by SHA-256.
func HMACSHA256(key, text []byte) [sha256.Size]byte {
	if len(key) > block {
		short := sha256.Sum256(key)
		key = short[:]
	}
	var inner [block]byte
	var outer [block + sha256.Size]byte
	pad(&inner, outer[:], key)
	h := sha256.New()
	h.Write(inner[:])
	h.Write(text)
	h.Sum(outer[:block])
	return sha256.Sum256(outer[:])
}

// HMACSHA1 is the HMAC by SHA-1.
func HMACSHA1(key, text []byte) [sha1.Size]byte {
	if len(key) > block {
		short := sha1.Sum(key)
		key = short[:]
	}
	var inner [block]byte
	var outer [block + sha1.Size]byte
	pad(&inner, outer[:], key)
	h := sha1.New()
	h.Write(inner[:])
	h.Write(text)
	h.Sum(outer[:block])
	return sha1.Sum(outer[:])
}

// SignSHA256 is the Sign of a claim whose string to sign is signed by the secret itself, by SHA-256.
func SignSHA256(c *Claim, out, secret []byte) []byte {
	sum := HMACSHA256(secret, c.StringToSign)
	return append(out, sum[:]...)
}

// SignSHA1 is the Sign of a claim whose string to sign is signed by the secret itself, by SHA-1.
func SignSHA1(c *Claim, out, secret []byte) []byte {
	sum := HMACSHA1(secret, c.StringToSign)
	return append(out, sum[:]...)
}

const block = 64 // the block size of both hashes

// pad begins both hashes' input. The key is no longer than a block.
func pad(inner *[block]byte, outer, key []byte) {
	copy(inner[:], key)
	subtle.XORBytes(outer, inner[:], outerPad[:])
	subtle.XORBytes(inner[:], inner[:], innerPad[:])
}

var innerPad, outerPad = filled(0x36), filled(0x5c)

func filled(c byte) (b [block]byte) {
	for i := range b {
		b[i] = c
	}
	return b
}
