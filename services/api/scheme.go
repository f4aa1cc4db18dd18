package api

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/services/dialect"
)

// knownSchemes refuses overrides that narrow an account's signatures to a scheme
// that no dialect speaks: nothing signed by it could ever verify. Which schemes there
// are is known here and not to the rules. Whatever else is wrong is theirs to say.
func (s *server) knownSchemes(overrides json.RawMessage) error {
	var given struct {
		Signature struct{ Schemes []string }
	}
	if json.Unmarshal(overrides, &given) != nil {
		return nil
	}
	var known []string
	for _, scheme := range dialect.Schemes(s.Dialects) {
		known = append(known, scheme.Name())
	}
	for _, name := range given.Signature.Schemes {
		if !slices.Contains(known, name) {
			return aggregate.Refuse(aggregate.Invalid, "policy.invalid",
				"signature.schemes names %q, which no dialect here speaks; want some of %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}
