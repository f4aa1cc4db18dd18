package identity

import (
	"errors"
	"io"
)

// maxReads bounds how often more bytes are asked for. A source that is random
// at all never needs more than a few.
const maxReads = 100

// draw gives n letters of the alphabet, each as likely as any other: bytes
// beyond the last whole multiple of the alphabet's length are thrown away. Of what it
// read, nothing stays in memory but the result.
func (s Source) draw(alphabet string, n int) ([]byte, error) {
	var buf [64]byte
	defer clear(buf[:])
	limit := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	for range maxReads {
		chunk := buf[:min(n-len(out), len(buf))]
		if _, err := io.ReadFull(s.rand(), chunk); err != nil {
			clear(out)
			return nil, err
		}
		for _, b := range chunk {
			if int(b) < limit {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
		if len(out) == n {
			return out, nil
		}
	}
	clear(out)
	return nil, errors.New("the source of randomness is not random")
}
