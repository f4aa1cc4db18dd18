// Package policy is what an account may choose about the life of its keys: the
// presets, which make the ledger behave like one vendor or another, and the
// overrides that an account puts on top.
//
// The way in: [Effective] applies overrides to a preset and says what is wrong
// with them; [Presets] is the table of presets.
//
// The limits: a policy is data. What its fields do is decided by the packages
// that rule keys and accounts. The names of signature schemes belong to the dialects,
// which are not known here: only their form is checked.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// Effective is the policy of an account with the preset and the overrides: a
// partial policy document in JSON, in which what is left out stays as the preset has
// it; none, null and {} override nothing. It returns a *aggregate.Refusal of kind
// Invalid, with the rule "policy.unknown_preset" or "policy.invalid", if there is no such
// preset, if the document is not one, or if a field is outside its values.
func Effective(preset string, overrides json.RawMessage) (events.Policy, error) {
	p, ok := named(preset)
	if !ok {
		return events.Policy{}, aggregate.Refuse(aggregate.Invalid, "policy.unknown_preset",
			"there is no preset %q; the presets are %s", preset, strings.Join(Names(), ", "))
	}
	if err := merge(&p, overrides); err != nil {
		return events.Policy{}, aggregate.Refuse(aggregate.Invalid, "policy.invalid", "the overrides are not a partial policy: %v", err)
	}
	if err := check(p); err != nil {
		return events.Policy{}, err
	}
	return p, nil
}

func named(preset string) (events.Policy, bool) {
	for _, p := range presets {
		if p.Name == preset {
			return clone(p.Policy), true
		}
	}
	return events.Policy{}, false
}

// merge decodes the overrides onto p, which must share nothing with the table:
// encoding/json writes into the slices it finds.
func merge(p *events.Policy, overrides json.RawMessage) error {
	if len(overrides) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(overrides))
	if err := d.Decode(p); err != nil {
		return explain(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the document; want one JSON object")
	}
	return spelt(overrides)
}

// spelt holds the names in overrides to their exact spelling: encoding/json takes
// them in any case, so that of two spellings in one document the last would count.
func spelt(overrides json.RawMessage) error {
	var given, known map[string]any
	whole, err := json.Marshal(events.Policy{ // with every name
		Signature: events.Signature{Schemes: []string{""}}, Network: events.NetworkRule{Precedence: NetworkReplace}, Leak: ourLeakRule,
	})
	if err != nil {
		return err
	}
	if err := errors.Join(json.Unmarshal(overrides, &given), json.Unmarshal(whole, &known)); err != nil {
		return err
	}
	return speltAs(given, known, "")
}

func speltAs(given, known map[string]any, under string) error {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		like, ok := known[name]
		if !ok {
			return errors.New("unknown field " + strconv.Quote(under+name) + "; want " + under + strings.Join(slices.Sorted(maps.Keys(known)), ", "+under))
		}
		if value == nil {
			return errors.New(under + name + " cannot be null; leave it out to keep the preset's")
		}
		part, is := like.(map[string]any)
		if !is {
			continue
		}
		if err := speltAs(value.(map[string]any), part, under+name+"."); err != nil {
			return err
		}
	}
	return nil
}

// explain puts what encoding/json says into words that do not speak of Go.
func explain(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		field := kind.Field
		if field == "" {
			return errors.New("want a JSON object, got a JSON " + kind.Value)
		}
		return errors.New(field + " cannot be a JSON " + kind.Value + "; want " + jsonKind(kind))
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON is cut short")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func jsonKind(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list of strings"
	case reflect.Struct:
		return "an object"
	}
	return "a string"
}
