package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/keyledger/keyledger/services/durable"
)

// A secretFile is a file for a secret that does not exist yet. It is made and
// has its room on the disk before the secret is asked for, so that none is lost to a
// path that will not do.
type secretFile struct {
	f    *os.File
	path string
	kept bool
}

// reservedBytes is the room a secret file takes in advance; its content is
// shorter.
const reservedBytes = 4096

// reserve makes a file that only its owner can read. One that is there already
// is left alone.
func reserve(path string) (*secretFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, taken(path)
	}
	if err != nil {
		return nil, usage("the file for the secret cannot be made: %v", err)
	}
	s := &secretFile{f: f, path: path}
	_, err = f.Write(bytes.Repeat([]byte{' '}, reservedBytes))
	if err = errors.Join(err, f.Sync(), durable.Settle(path)); err != nil {
		s.abandon()
		return nil, usage("the file for the secret cannot be written: %v", err)
	}
	return s, nil
}

func taken(path string) error {
	return usage("%s is there already and is not overwritten; name another file", path)
}

// fill gives the file its content, on disk when fill returns.
func (s *secretFile) fill(content []byte) error {
	_, err := s.f.WriteAt(content, 0)
	if err = errors.Join(err, s.f.Truncate(int64(len(content))), s.f.Sync(), s.f.Close()); err != nil {
		return fail(exitRefused, codeFile, "%s could not be written: %v", s.path, err)
	}
	s.kept = true
	return nil
}

// abandon removes the file unless it was filled.
func (s *secretFile) abandon() {
	if s.kept {
		return
	}
	_ = s.f.Close()
	_ = os.Remove(s.path)
}

// csvFile is a key as spreadsheets and the consoles of other vendors have it.
func csvFile(userName, accessKeyID string, s secret) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true // RFC 4180
	err := w.WriteAll([][]string{
		{"User Name", "Access Key Id", "Secret Access Key"},
		{inert(userName), accessKeyID, s.reveal()},
	})
	return b.Bytes(), err
}

// inert puts an apostrophe before a text that a spreadsheet would take for a
// formula: by its first character, by the first behind spaces, or by one of full width.
func inert(text string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(text, " \n\u00a0\u3000\ufeff"))
	if strings.ContainsRune("=+-@\t\r＝＋－＠", first) {
		return "'" + text
	}
	return text
}
