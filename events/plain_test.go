package events

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// Every fact can be read the quick way, and so can the envelope: a field of a new
// kind would make rebuilds slow in silence.
func TestPlainCoversTheCatalog(t *testing.T) {
	for _, f := range catalog {
		if shapeOf(f.shape) == nil {
			t.Errorf("%s has a field that plain JSON does not do", f.name)
		}
	}
	if envelope == nil {
		t.Error("the envelope has a field that plain JSON does not do")
	}
}

// What encoding/json reads in its own way is left to it.
func TestPlainLeavesTheRest(t *testing.T) {
	type probe struct {
		Text  string `json:"text"`
		Small uint32 `json:"small"`
		Whole int    `json:"whole"`
	}
	s := shapeOf(reflect.TypeFor[probe]())
	for _, data := range []string{
		``, `{`, `{}x`, ` {}`, `{"text":"a" }`, `{"text":null}`, `{"text":"\u0061"}`, "{\"text\":\"\x01\"}", "{\"text\":\"\xff\"}",
		"{\"text\":\"12345678\x1f\"}", "{\"text\":\"1234567\x1f12345678\"}",
		`{"text":"a","text":"b"}`, `{"whole":1,"text":"a"}`, `{"other":1}`, `{"Text":"a"}`, `{"text":"a",}`,
		`{"small":4294967296}`, `{"small":-1}`, `{"small":1.0}`, `{"small":01}`, `{"small":}`, `{"whole":9223372036854775808}`,
		`{"whole":99999999999999999999}`, `{"whole":1e3}`,
	} {
		var p probe
		if s.readPlain([]byte(data), &p) {
			t.Errorf("%s was read as %+v; want it left to encoding/json", data, p)
		}
	}
	for _, shape := range []reflect.Type{
		reflect.TypeFor[struct{ Untagged string }](),
		reflect.TypeFor[struct {
			A float64 `json:"a"`
		}](),
		reflect.TypeFor[struct {
			A int `json:"a,string"`
		}](),
		reflect.TypeFor[struct {
			A *int `json:"a"`
		}](),
	} {
		if shapeOf(shape) != nil {
			t.Errorf("%v has a plain shape; want none", shape)
		}
	}
}

// FuzzPlain holds the quick way to encoding/json: it reads nothing that
// encoding/json refuses, and nothing otherwise.
func FuzzPlain(f *testing.F) {
	for _, data := range []string{
		`{"access_key_id":"K","cause":"requested","warnings":["a","b"],"sealed":{"format":1,"version":1,"epoch":3,"ciphertext":"AQID","wrapped_key":""}}`,
		`{"access_key_id":"K","purge_at":"2026-03-31T12:30:45.123456789Z","warnings":[]}`,
		`{"account_id":"1","name":"ü","operator":true,"preset":"obs","overrides":{"quota":{"max":3}},"policy":{"quota":{"max":2,"counts":"active"}}}`,
		`{"projection":"audit","position":18446744073709551615,"reason":"r"}`,
		`[{"specversion":"1.0","id":"i","data":{"a":"}"}},{"data":{}}]`,
		`[{"data":{"a":{}}}}]`,
	} {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, fact := range catalog {
			quick, exact := reflect.New(fact.shape), reflect.New(fact.shape)
			if !shapeOf(fact.shape).readPlain(data, quick.Interface()) {
				continue
			}
			d := json.NewDecoder(strings.NewReader(string(data)))
			d.DisallowUnknownFields()
			if err := d.Decode(exact.Interface()); err != nil || !reflect.DeepEqual(quick.Interface(), exact.Interface()) {
				t.Fatalf("%s: encoding/json says %v\n%+v\nthe quick way\n%+v", fact.name, err, exact.Elem(), quick.Elem())
			}
		}
		batch, ok := plainBatch(data)
		if !ok || !allValid(batch) {
			return // data that is no JSON is found out when it is decoded
		}
		var exact []cloudEvent
		if err := json.Unmarshal(data, &exact); err != nil || !reflect.DeepEqual(batch, exact) {
			t.Fatalf("encoding/json says %v\n%+v\nthe quick way\n%+v", err, exact, batch)
		}
	})
}

func allValid(batch []cloudEvent) bool {
	for _, ce := range batch {
		if ce.Data.RawMessage != nil && !json.Valid(ce.Data.RawMessage) {
			return false
		}
	}
	return true
}

// A fact whose shape changed is lifted from its old version step by step.
func TestUpcasts(t *testing.T) {
	newer := kind[KeyDisabled](3, "A key stopped verifying, reversibly.",
		func(data []byte) ([]byte, error) { return []byte(strings.Replace(string(data), "ak", "key", 1)), nil },
		func(data []byte) ([]byte, error) {
			return []byte(strings.Replace(string(data), "key", "access_key_id", 1)), nil
		})
	was := byName["key.disabled"]
	byName["key.disabled"] = newer
	defer func() { byName["key.disabled"] = was }()
	for typeName, data := range map[string]string{
		"dev.keyledger.key.disabled.v2": `{"key":"K","reason":"r"}`,
		"dev.keyledger.key.disabled.v3": `{"access_key_id":"K","reason":"r"}`,
	} {
		delete(byType, typeName)
		if e, err := decodeData(typeName, []byte(data)); err != nil || e != (KeyDisabled{Key: "K", Reason: "r"}) {
			t.Errorf("%s %s: got %v, %v", typeName, data, e, err)
		}
	}
	delete(byType, was.typeName()) // as it is once version 1 is old
	defer func() { byType[was.typeName()] = was }()
	if e, err := decodeData("dev.keyledger.key.disabled.v1", []byte(`{"ak":"K","reason":"r"}`)); err != nil || e != (KeyDisabled{Key: "K", Reason: "r"}) {
		t.Errorf("version 1: got %v, %v", e, err)
	}
}

// A version without the way to it is found before anything runs.
func TestUpcastsAreCounted(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("version 2 without an upcast: want a panic")
		}
	}()
	kind[KeyDisabled](2, "A key stopped verifying, reversibly.")
}
