package main

import (
	"encoding/json"
	"os"
	"strings"
)

// overridesFile reads a partial policy from a JSON file. What its fields may be
// is the server's to say.
func overridesFile(path string) (json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("the --overrides-file cannot be read: %v", err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, usage("%s is not a JSON object: %v", path, err)
	}
	return text, nil
}

// parseOverrides builds the partial policy that "field.path=value" pairs
// describe.
func parseOverrides(pairs []string) (json.RawMessage, error) {
	document := map[string]any{}
	for _, pair := range pairs {
		path, value, found := strings.Cut(pair, "=")
		if !found || path == "" {
			return nil, usage("--override %q will not do; want field.path=value, e.g. quota.max=5", pair)
		}
		if err := override(document, path, value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(document)
}

// override puts one value at a path.
func override(document map[string]any, path, value string) error {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		under, there := document[name]
		if !there {
			under = map[string]any{}
			document[name] = under
		}
		object, ok := under.(map[string]any)
		if !ok {
			return usage("--override %s: %s has a value already and cannot have fields", path, name)
		}
		document = object
	}
	last := names[len(names)-1]
	if _, there := document[last]; there || last == "" {
		return usage("--override %s: name each field once, as field.path=value", path)
	}
	document[last] = overrideValue(value)
	return nil
}

// overrideValue is the JSON that the text is, or else the text.
func overrideValue(text string) any {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}
