package events

import (
	"fmt"
	"log/slog"
)

// Sealed is a secret as the vault sealed it: the ciphertext under a data key of
// its own, and that data key wrapped under an epoch key. The wrapped key counts
// only while its epoch lives. Every way of printing it, JSON included, prints
// "[sealed]"; only [Encode] writes it out, and reading that gives it back.
type Sealed struct {
	Layout     int    `json:"format"`      // 1: of the fields below
	Version    int    `json:"version"`     // of the secret, from 1
	Epoch      uint32 `json:"epoch"`       // that wrapped the data key
	Ciphertext []byte `json:"ciphertext"`  // the secret under the data key
	WrappedKey []byte `json:"wrapped_key"` // the data key under the epoch key
}

func (Sealed) String() string               { return "[sealed]" }
func (Sealed) GoString() string             { return "[sealed]" }
func (Sealed) LogValue() slog.Value         { return slog.StringValue("[sealed]") }
func (Sealed) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "[sealed]") }
func (Sealed) MarshalJSON() ([]byte, error) { return []byte(`"[sealed]"`), nil }

// onDisk is e in a shape whose JSON is what the log keeps. It differs from e where
// e holds something that does not print.
func onDisk(e Event) any {
	created, ok := e.(KeyCreated)
	if !ok {
		return e
	}
	type written Sealed // without Sealed's methods
	return struct {
		KeyCreated
		Sealed written `json:"sealed,omitzero"` // in the place of KeyCreated's
	}{created, written(created.Sealed)}
}

// Public is the event as others may see it: without what is sealed, and without
// the hash by which a gateway token is known.
func Public(e Event) Event {
	switch e := e.(type) {
	case KeyCreated:
		e.Sealed = Sealed{}
		return e
	case GatewayTokenCreated:
		e.Hash = ""
		return e
	default: // nothing in it is kept back
		return e
	}
}
