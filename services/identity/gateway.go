package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/vault"
)

const (
	gatewayTokenIDPrefix = "KLGT"
	gatewayTokenPrefix   = "klgw_"
)

// GatewayTokenID is KLGT and 16 characters of Crockford base32, upper-case.
func (s Source) GatewayTokenID() (events.GatewayTokenID, error) {
	letters, err := s.draw(crockford, keyLetters)
	if err != nil {
		return "", fmt.Errorf("identity: draw a gateway token ID: %w", err)
	}
	return events.GatewayTokenID(gatewayTokenIDPrefix + string(letters)), nil
}

// GatewayToken is klgw_, 30 characters of base62 and 6 of their checksum.
func (s Source) GatewayToken() (vault.Secret, error) {
	token, err := s.checked(gatewayTokenPrefix)
	if err != nil {
		return vault.Secret{}, fmt.Errorf("identity: draw a gateway token: %w", err)
	}
	return token, nil
}

// CheckGatewayToken says whether text has the shape and the checksum of our
// gateway tokens, as CheckSecret does of secrets.
func CheckGatewayToken(text []byte) bool { return check(gatewayTokenPrefix, text) }

// HashGatewayToken is what the ledger keeps of a token: its SHA-256 in lower-case
// hex. A token has 178 random bits, too many to be tried out; so it needs neither a
// salt nor a slow hash, which are for what people choose, and the hash can be looked up.
func HashGatewayToken(token []byte) string {
	sum := sha256.Sum256(token)
	return hex.EncodeToString(sum[:])
}
