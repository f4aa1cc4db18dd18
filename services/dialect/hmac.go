package dialect

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // it is what some vendors sign with; as HMAC it stands
	"crypto/sha256"
	"crypto/subtle"
	"hash"
)

// HMACSHA256 and HMACSHA1 are what crypto/hmac computes, without the six allocations that it
// makes for each key: a request is checked by up to six of them, each with a key of its own, over
// texts shorter than those allocations. The hashes are the library's; a long text is left to
// crypto/hmac altogether. https://www.rfc-editor.org/rfc/rfc2104 section 2

// HMACSHA256 is the HMAC by SHA-256.
func HMACSHA256(key, text []byte) [sha256.Size]byte {
	var inner [block + maxShort]byte
	var outer [block + sha256.Size]byte
	if len(key) > block {
		short := sha256.Sum256(key)
		key = short[:]
	}
	if !pad(inner[:], outer[:], key, text) {
		return [sha256.Size]byte(long(sha256.New, key, text))
	}
	sum := sha256.Sum256(inner[:block+len(text)])
	copy(outer[block:], sum[:])
	return sha256.Sum256(outer[:])
}

// HMACSHA1 is the HMAC by SHA-1.
func HMACSHA1(key, text []byte) [sha1.Size]byte {
	var inner [block + maxShort]byte
	var outer [block + sha1.Size]byte
	if len(key) > block {
		short := sha1.Sum(key)
		key = short[:]
	}
	if !pad(inner[:], outer[:], key, text) {
		return [sha1.Size]byte(long(sha1.New, key, text))
	}
	sum := sha1.Sum(inner[:block+len(text)])
	copy(outer[block:], sum[:])
	return sha1.Sum(outer[:])
}

// SignSHA256 is the MAC of a claim whose string to sign is signed by the secret itself, by SHA-256.
func SignSHA256(c *Claim, out, secret []byte) []byte {
	sum := HMACSHA256(secret, c.StringToSign)
	return append(out, sum[:]...)
}

// SignSHA1 is the MAC of a claim whose string to sign is signed by the secret itself, by SHA-1.
func SignSHA1(c *Claim, out, secret []byte) []byte {
	sum := HMACSHA1(secret, c.StringToSign)
	return append(out, sum[:]...)
}

const (
	block    = 64  // the block size of both hashes
	maxShort = 960 // with it, what the stack is asked for
)

// pad begins both hashes' input; false where it does not fit. The key is no longer than a block.
func pad(inner, outer, key, text []byte) bool {
	if len(text) > maxShort {
		return false
	}
	copy(inner, key)
	subtle.XORBytes(outer, inner[:block], outerPad[:])
	subtle.XORBytes(inner, inner[:block], innerPad[:])
	copy(inner[block:], text)
	return true
}

var innerPad, outerPad = filled(0x36), filled(0x5c)

func filled(c byte) (b [block]byte) {
	for i := range b {
		b[i] = c
	}
	return b
}

// long copies both, so that no caller's key or text is on the heap because of it.
func long(h func() hash.Hash, key, text []byte) []byte {
	m := hmac.New(h, bytes.Clone(key))
	m.Write(bytes.Clone(text))
	return m.Sum(nil)
}
