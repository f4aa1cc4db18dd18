package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// TypePrefix begins every CloudEvents type of the ledger.
const TypePrefix = "dev.keyledger."

// catalog is every fact the ledger knows, in the order they were introduced.
// Names and versions are on disk for ever: add lines, never edit or remove one.
// A fact whose shape changes gets a higher version and one upcast per old one.
var catalog = []fact{
	kind[KeyCreated](1, "A key came to be, active."),
	kind[KeyDisabled](1, "A key stopped verifying, reversibly."),
	kind[KeyEnabled](1, "A disabled key verifies again."),
	kind[KeyDeleted](1, "A key went to the recycle bin."),
	kind[KeyRestored](1, "A key came back from the recycle bin, disabled."),
	kind[KeyPurged](1, "A key is gone for ever; its ID is never used again."),
	kind[KeyDescribed](1, "A key has a new description."),
	kind[KeyringClosed](1, "No key can be created for a user any more: it is about to be removed."),
	kind[KeyringReopened](1, "A removal did not go through: keys can be created again."),
	kind[AccountOpened](1, "An account came to be, with its policy."),
	kind[PolicyChanged](1, "An account has a new policy."),
	kind[UserAdded](1, "An account has a new user."),
	kind[UserRenamed](1, "A user has a new name."),
	kind[UserRoleChanged](1, "A user has a new role."),
	kind[UserGranted](1, "A user was given a grant."),
	kind[UserGrantRevoked](1, "A grant was taken back from a user."),
	kind[UserRemoved](1, "A user is gone."),
	kind[RecordAcknowledged](1, "An operator let a projection pass a record that it could not apply."),
	kind[ClockConfirmed](1, "An operator confirmed the clock."),
	kind[GatewayTokenCreated](1, "A gateway may ask for verification by a new token."),
	kind[GatewayTokenRevoked](1, "A gateway token serves nobody any more."),
	kind[AccountNetworkPolicySet](1, "An account has a new policy of the networks that its keys may be used from."),
	kind[KeyNetworkPolicySet](1, "A key has a new policy of its own of the networks that it may be used from."),
	kind[KeyReserved](1, "An access key ID is one user's for ever: a key with it is about to be imported."),
	kind[KeyRestricted](1, "A key is under leak protection: there is reason to think that somebody else knows its secret."),
	kind[KeyUnrestricted](1, "A key is under leak protection no more."),
}

// An upcast lifts the data of one version to the next.
type upcast func(data []byte) ([]byte, error)

// A fact is a line of the catalog.
type fact struct {
	name    string
	version int
	summary string
	upcasts []upcast // [i] lifts version i+1 to i+2
	shape   reflect.Type
	decode  func(data []byte) (Event, error)
}

// Type is the CloudEvents type: "dev.keyledger.key.created.v1".
func (f fact) typeName() string { return TypePrefix + f.name + ".v" + strconv.Itoa(f.version) }

func kind[E Event](version int, summary string, upcasts ...upcast) fact {
	var zero E
	if len(upcasts) != version-1 {
		panic(fmt.Sprintf("events: %s is at version %d: want %d upcasts, have %d", zero.Kind(), version, version-1, len(upcasts)))
	}
	return fact{name: zero.Kind(), version: version, summary: summary, upcasts: upcasts, shape: reflect.TypeFor[E](), decode: decoder[E]()}
}

// decoder reads plain JSON the quick way and all other JSON with encoding/json.
func decoder[E Event]() func(data []byte) (Event, error) {
	s := shapeOf(reflect.TypeFor[E]())
	return func(data []byte) (Event, error) {
		var e E
		if s != nil && s.readPlain(data, &e) {
			return e, nil
		}
		return decodeStrict[E](data)
	}
}

// decodeStrict refuses unknown fields: a field this build does not know is a
// fact it would forget.
func decodeStrict[E Event](data []byte) (Event, error) {
	var e E
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, err
	}
	return e, nil
}

var byName = func() map[string]fact {
	m := make(map[string]fact, len(catalog))
	for _, f := range catalog {
		if _, twice := m[f.name]; twice {
			panic("events: " + f.name + " stands in the catalog twice")
		}
		m[f.name] = f
	}
	return m
}()

// byType is the fast way from a type of the newest version to its fact.
var byType = func() map[string]fact {
	m := make(map[string]fact, len(catalog))
	for _, f := range catalog {
		m[f.typeName()] = f
	}
	return m
}()

// An Entry describes a line of the catalog to people.
type Entry struct {
	Name    string       // "key.created"
	Type    string       // "dev.keyledger.key.created.v1"
	Version int          // the newest
	Summary string       // one sentence
	Shape   reflect.Type // of the newest version's data
}

// Catalog is every fact the ledger knows, in the order they were introduced.
func Catalog() []Entry {
	out := make([]Entry, len(catalog))
	for i, f := range catalog {
		out[i] = Entry{Name: f.name, Type: f.typeName(), Version: f.version, Summary: f.summary, Shape: f.shape}
	}
	return out
}

// TypeOf is the CloudEvents type that an event is written under.
func TypeOf(e Event) string { return byName[e.Kind()].typeName() }

// decodeData reads the data of an event of any version that was ever written.
func decodeData(typeName string, data []byte) (Event, error) {
	if f, ok := byType[typeName]; ok {
		return f.decode(data)
	}
	f, version, err := parseType(typeName)
	if err != nil {
		return nil, err
	}
	for ; version < f.version; version++ {
		if data, err = f.upcasts[version-1](data); err != nil {
			return nil, fmt.Errorf("%s: lift version %d: %w", f.name, version, err)
		}
	}
	return f.decode(data)
}

// An UnknownTypeError is an event of a type, or of a version of it, that is not in
// this build's catalog. Nothing is wrong with the log then: a newer build wrote it.
type UnknownTypeError struct {
	Type  string // "dev.keyledger.key.created.v2"
	Known int    // the newest version of it in this build's catalog; zero if none is
}

func (e *UnknownTypeError) Error() string {
	if e.Known == 0 {
		return fmt.Sprintf("this build does not know the event type %q: a newer keyledger probably wrote it", e.Type)
	}
	return fmt.Sprintf("this build knows the event type %q only up to version %d: a newer keyledger probably wrote it", e.Type, e.Known)
}

func parseType(typeName string) (fact, int, error) {
	rest, ok := strings.CutPrefix(typeName, TypePrefix)
	dot := strings.LastIndex(rest, ".v")
	if !ok || dot < 0 {
		return fact{}, 0, fmt.Errorf("event type %q: want %s<name>.v<version>", typeName, TypePrefix)
	}
	version, err := strconv.Atoi(rest[dot+2:])
	if err != nil || version < 1 || strconv.Itoa(version) != rest[dot+2:] {
		return fact{}, 0, fmt.Errorf("event type %q: the version is not a whole number from 1", typeName)
	}
	f, ok := byName[rest[:dot]]
	if !ok || version > f.version {
		return fact{}, 0, &UnknownTypeError{Type: typeName, Known: f.version}
	}
	return f, version, nil
}
