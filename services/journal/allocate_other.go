//go:build !linux

package journal

import (
	"crypto/rand"
	"os"
)

// allocate fills a file with what no file system can squeeze.
func allocate(f *os.File, size int64) error {
	chunk := make([]byte, 1<<20)
	for size > 0 {
		rand.Read(chunk)
		n, err := f.Write(chunk[:min(size, int64(len(chunk)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return f.Sync()
}
