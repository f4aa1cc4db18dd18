package huawei

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// An object is the members of a JSON object, each name once.
type object map[string]json.RawMessage

// readObject reads a body. A name given twice is refused: two readers could otherwise see
// two requests. Members that nobody asks for are passed over, as the vendor does.
func readObject(body []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') || !utf8.Valid(body) {
		return nil, badBody("it must be a JSON object in UTF-8")
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		text, ok := name.(string)
		if err != nil || !ok {
			return nil, badBody("it is not well-formed JSON")
		}
		if _, twice := o[text]; twice {
			return nil, badBody("it has a member more than once; give each once")
		}
		o[text] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, badBody("it is not well-formed JSON")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, badBody("something follows the JSON object")
	}
	return o, nil
}

// credential reads the object in which version 3 wraps what is asked for.
func credential(body []byte) (object, error) {
	o, err := readObject(body)
	if err != nil {
		return nil, err
	}
	if !o.has("credential") {
		return nil, required("credential")
	}
	if o["credential"][0] != '{' {
		return nil, invalid("credential", "it must be an object")
	}
	return readObject(o["credential"])
}

// has says whether a member is there and not null.
func (o object) has(name string) bool {
	value, there := o[name]
	return there && string(value) != "null"
}

// text is a member that is a string, "" if it is not there.
func (o object) text(name string) (string, error) {
	if !o.has(name) {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(o[name], &s); err != nil || strings.ContainsRune(s, utf8.RuneError) {
		return "", invalid(name, "it must be a string")
	}
	return s, nil
}

// active is the member status.
func (o object) active() (bool, error) {
	s, err := o.text("status")
	switch {
	case err != nil:
		return false, err
	case !o.has("status"):
		return false, required("status")
	case s != "active" && s != "inactive":
		return false, invalid("status", "it must be active or inactive")
	}
	return s == "active", nil
}

// readQuery returns the parameters of a raw query, each name once.
func readQuery(raw string) (map[string]string, error) {
	pairs, ok := appendPairs(nil, raw)
	if !ok {
		return nil, invalid("query", "it has a percent sign that is not followed by two hexadecimal digits")
	}
	query := make(map[string]string, len(pairs))
	for _, p := range pairs {
		if _, twice := query[p.name]; twice {
			return nil, invalid("query", "a parameter was given more than once")
		}
		query[p.name] = p.value
	}
	return query, nil
}

// nameShape is what an ID of a user or a key can look like. Any other names nothing here.
var nameShape = regexp.MustCompile(`^[\w-]{1,128}$`)

func isName(s string) bool { return nameShape.MatchString(s) }
