package identity

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

const (
	keyPrefix     = "KLAK"
	keyLetters    = 16 // after the prefix; 80 bits
	secretPrefix  = "kls_"
	secretLetters = 30 // after the prefix; 178 bits
	checkLetters  = 6  // after those: 62^6 > 2^32

	minImportedID     = 3   // characters; the shortest that a vendor allows (MinIO)
	maxImportedSecret = 256 // characters
)

// AccessKeyID is KLAK and 16 characters of Crockford base32, upper-case.
func (s Source) AccessKeyID() (events.AccessKeyID, error) {
	letters, err := s.draw(crockford, keyLetters)
	if err != nil {
		return "", fmt.Errorf("identity: draw an access key ID: %w", err)
	}
	return events.AccessKeyID(keyPrefix + string(letters)), nil
}

// CheckImportedID says what is wrong with the ID of a key that is to be imported, or nil:
// 3 to 128 letters, digits, '-' or '_', and none that begins as ours do, in any case, so
// that no imported ID is ever one that is drawn, or reads like one.
func CheckImportedID(id events.AccessKeyID) error {
	if len(id) < minImportedID {
		return fmt.Errorf("access key ID: want %d to 128 characters, got %d", minImportedID, len(id))
	}
	if err := id.Valid(); err != nil {
		return err
	}
	if len(id) >= len(keyPrefix) && strings.EqualFold(string(id[:len(keyPrefix)]), keyPrefix) {
		return fmt.Errorf("access key ID: those that begin with %s are drawn by a Keyledger and are not imported", keyPrefix)
	}
	return nil
}

// CheckImportedSecret says what is wrong with the secret of a key that is to be imported,
// or nil, without quoting any of it: 1 to 256 printable ASCII characters, no space at either
// end, where it would be a slip of whoever copied it.
func CheckImportedSecret(text []byte) error {
	if len(text) < 1 || len(text) > maxImportedSecret {
		return fmt.Errorf("secret access key: want 1 to %d characters, got %d", maxImportedSecret, len(text))
	}
	for i, c := range text {
		if c < 0x20 || c > 0x7e {
			return fmt.Errorf("secret access key: want printable ASCII characters, got another at %d", i)
		}
	}
	if text[0] == ' ' || text[len(text)-1] == ' ' {
		return errors.New("secret access key: want no space at its beginning or end")
	}
	return nil
}

// Secret is kls_, 30 characters of base62 and 6 of their checksum.
func (s Source) Secret() (vault.Secret, error) {
	secret, err := s.checked(secretPrefix)
	if err != nil {
		return vault.Secret{}, fmt.Errorf("identity: draw a secret: %w", err)
	}
	return secret, nil
}

// checked is the prefix, random letters and the checksum of both.
func (s Source) checked(prefix string) (vault.Secret, error) {
	letters, err := s.draw(base62, secretLetters)
	if err != nil {
		return vault.Secret{}, err
	}
	defer clear(letters)
	secret := make([]byte, 0, len(prefix)+secretLetters+checkLetters)
	secret = append(secret, prefix...)
	secret = append(secret, letters...)
	sum := checksum(secret)
	return vault.NewSecret(append(secret, sum[:]...)), nil
}

// CheckSecret says whether text has the shape and the checksum of our secrets.
// It filters noise; it does not say that there is such a key, and takes no constant
// time.
func CheckSecret(text []byte) bool { return check(secretPrefix, text) }

// check says whether text is the prefix, letters and the checksum of both.
func check(prefix string, text []byte) bool {
	length := len(prefix) + secretLetters + checkLetters
	if len(text) != length || string(text[:len(prefix)]) != prefix {
		return false
	}
	body, sum := text[:length-checkLetters], text[length-checkLetters:]
	for _, c := range body[len(prefix):] {
		if strings.IndexByte(base62, c) < 0 {
			return false
		}
	}
	return checksum(body) == [checkLetters]byte(sum)
}

// checksum is the CRC-32 (IEEE) of body in base62, padded with 0 on the left.
func checksum(body []byte) [checkLetters]byte {
	var out [checkLetters]byte
	sum := crc32.ChecksumIEEE(body)
	for i := checkLetters - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return out
}
