package dialect

import (
	"bytes"
	"encoding/base64"
)

// DecodeBase64 decodes the standard base64 of as many bytes as dst is long, and reports whether text is that, padded, with
// no line ends, and spelt in the one way there is. A signature that is held to this has one spelling.
func DecodeBase64(dst, text []byte) bool {
	var room [48]byte // more than any signature here
	if base64.StdEncoding.EncodedLen(len(dst)) != len(text) || base64.StdEncoding.DecodedLen(len(text)) > len(room) {
		return false
	}
	if bytes.IndexByte(text, '\r') >= 0 || bytes.IndexByte(text, '\n') >= 0 { // the library passes over them
		return false
	}
	n, err := strictBase64.Decode(room[:], text)
	return err == nil && n == len(dst) && copy(dst, room[:n]) == n
}

var strictBase64 = base64.StdEncoding.Strict()
