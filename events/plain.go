package events

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A shape is how a struct is read from plain JSON: the JSON that Encode itself
// writes, in which the fields come in the struct's order, without space between
// them and mostly without escapes. Reading it takes a third of the time that
// encoding/json needs, which decides how long a rebuild of every projection takes.
//
// It is an early way out, never another opinion: what it cannot read, for
// whatever reason, is left to encoding/json, and what it can, encoding/json would
// have read alike. A fuzz test holds it to that.
type shape struct {
	fields []field
}

type field struct {
	name string
	read func(r *plain, v reflect.Value) bool
}

// shapeOf is the shape of a struct type, or nil if it has fields that plain JSON
// does not do.
func shapeOf(t reflect.Type) *shape {
	s := &shape{}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		read := readerOf(t.Field(i).Type)
		if name == "" || name == "-" || strings.Contains(options, "string") || read == nil {
			return nil
		}
		s.fields = append(s.fields, field{name: name, read: read})
	}
	return s
}

func readerOf(t reflect.Type) func(*plain, reflect.Value) bool {
	switch t {
	case reflect.TypeFor[time.Time]():
		return (*plain).time
	case reflect.TypeFor[[]byte]():
		return (*plain).bytes
	case reflect.TypeFor[json.RawMessage]():
		return (*plain).raw
	case reflect.TypeFor[undecoded]():
		return (*plain).later
	case reflect.TypeFor[[]string]():
		return (*plain).strings
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return nil // it reads itself
	}
	switch t.Kind() {
	case reflect.String:
		return (*plain).string
	case reflect.Bool:
		return (*plain).bool
	case reflect.Int, reflect.Int64:
		return (*plain).int
	case reflect.Uint32, reflect.Uint64:
		return (*plain).uint
	case reflect.Struct:
		if s := shapeOf(t); s != nil {
			return s.read
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Struct {
			return nil
		}
		if s := shapeOf(t.Elem()); s != nil {
			return s.list
		}
	}
	return nil
}

// plainBatch reads a whole batch of events, or says that it is not plain.
func plainBatch(data []byte) ([]cloudEvent, bool) {
	r := plain{data: data}
	if !r.take('[') {
		return nil, false
	}
	var batch []cloudEvent
	for {
		var ce cloudEvent
		if !envelope.read(&r, reflect.ValueOf(&ce).Elem()) {
			return nil, false
		}
		batch = append(batch, ce)
		if r.take(']') {
			return batch, r.end()
		}
		if !r.take(',') {
			return nil, false
		}
	}
}

var envelope = shapeOf(reflect.TypeFor[cloudEvent]())

// readPlain reads data into what v points to. If it returns false, what v points to
// holds anything.
func (s *shape) readPlain(data []byte, v any) bool {
	r := plain{data: data}
	return s.read(&r, reflect.ValueOf(v).Elem()) && r.end()
}

// read takes an object whose fields come in the order of the shape.
func (s *shape) read(r *plain, v reflect.Value) bool {
	if !r.take('{') {
		return false
	}
	if r.take('}') {
		return true
	}
	for i := 0; ; i++ {
		name, ok := r.text()
		if !ok || !r.take(':') {
			return false
		}
		for i < len(s.fields) && s.fields[i].name != string(name) {
			i++
		}
		if i == len(s.fields) || !s.fields[i].read(r, v.Field(i)) {
			return false
		}
		if r.take('}') {
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

// list takes an array of such objects.
func (s *shape) list(r *plain, v reflect.Value) bool {
	if !r.take('[') {
		return false
	}
	out := reflect.MakeSlice(v.Type(), 0, 0)
	for !r.take(']') {
		if out.Len() > 0 && !r.take(',') {
			return false
		}
		one := reflect.New(v.Type().Elem()).Elem()
		if !s.read(r, one) {
			return false
		}
		out = reflect.Append(out, one)
	}
	v.Set(out)
	return true
}

// A plain takes values off the front of plain JSON. Each method says whether the
// value was there and plain.
type plain struct {
	data []byte
	at   int
}

func (r *plain) rest() []byte { return r.data[r.at:] }

func (r *plain) end() bool { return r.at == len(r.data) }

func (r *plain) take(c byte) bool {
	if r.end() || r.data[r.at] != c {
		return false
	}
	r.at++
	return true
}

// text takes a string that stands for itself: without escapes, valid UTF-8.
func (r *plain) text() ([]byte, bool) {
	n, ok := quoted(r.rest())
	if !ok {
		return nil, false
	}
	text := r.rest()[1 : n-1]
	r.at += n
	return text, printableASCII(text) || !hasControl(text) && utf8.Valid(text)
}

// quoted is how long the string is that data begins with, quotes included,
// provided that it holds no escapes.
func quoted(data []byte) (int, bool) {
	if len(data) == 0 || data[0] != '"' {
		return 0, false
	}
	n := bytes.IndexByte(data[1:], '"')
	if n < 0 || bytes.IndexByte(data[1:n+1], '\\') >= 0 {
		return 0, false
	}
	return n + 2, true
}

// printableASCII says whether every byte is 0x20 to 0x7f, eight at a time.
func printableASCII(text []byte) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	for len(text) >= 8 {
		x := binary.LittleEndian.Uint64(text)
		if (x|(x-each*' '))&top != 0 {
			return false
		}
		text = text[8:]
	}
	for _, c := range text {
		if c < ' ' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func hasControl(text []byte) bool {
	for _, c := range text {
		if c < ' ' {
			return true
		}
	}
	return false
}

// digits takes a whole number that is not negative.
func (r *plain) digits() (uint64, bool) {
	from := r.at
	for !r.end() && r.data[r.at] >= '0' && r.data[r.at] <= '9' {
		r.at++
	}
	text := r.data[from:r.at]
	if len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	return n, err == nil
}

func (r *plain) string(v reflect.Value) bool {
	text, ok := r.text()
	if ok {
		v.SetString(string(text))
	}
	return ok
}

func (r *plain) bool(v reflect.Value) bool {
	yes := r.word("true")
	v.SetBool(yes)
	return yes || r.word("false")
}

func (r *plain) word(w string) bool {
	if !bytes.HasPrefix(r.rest(), []byte(w)) {
		return false
	}
	r.at += len(w)
	return true
}

func (r *plain) int(v reflect.Value) bool {
	n, ok := r.digits()
	if !ok || n > 1<<63-1 || v.OverflowInt(int64(n)) {
		return false
	}
	v.SetInt(int64(n))
	return true
}

func (r *plain) uint(v reflect.Value) bool {
	n, ok := r.digits()
	if !ok || v.OverflowUint(n) {
		return false
	}
	v.SetUint(n)
	return true
}

func (r *plain) time(v reflect.Value) bool {
	from := r.at
	if _, ok := r.text(); !ok {
		return false
	}
	return v.Addr().Interface().(*time.Time).UnmarshalJSON(r.data[from:r.at]) == nil
}

func (r *plain) bytes(v reflect.Value) bool {
	text, ok := r.text()
	if !ok {
		return false
	}
	data, err := base64.StdEncoding.AppendDecode([]byte{}, text)
	v.SetBytes(data)
	return err == nil
}

func (r *plain) strings(v reflect.Value) bool {
	if !r.take('[') {
		return false
	}
	out := []string{}
	for !r.take(']') {
		if len(out) > 0 && !r.take(',') {
			return false
		}
		text, ok := r.text()
		if !ok {
			return false
		}
		out = append(out, string(text))
	}
	v.Set(reflect.ValueOf(out))
	return true
}

// raw takes an object as it stands.
func (r *plain) raw(v reflect.Value) bool {
	text, ok := r.object()
	if !ok || !json.Valid(text) {
		return false
	}
	v.SetBytes(bytes.Clone(text))
	return true
}

// later takes an object as it stands, not even knowing that it is valid.
func (r *plain) later(v reflect.Value) bool {
	text, ok := r.object()
	if ok {
		v.Field(0).SetBytes(text)
	}
	return ok
}

// object takes what is an object, provided that it is valid and that its strings
// hold no escapes.
func (r *plain) object() ([]byte, bool) {
	from := r.at
	if !r.take('{') {
		return nil, false
	}
	for depth := 1; depth > 0 && !r.end(); {
		n := 1
		switch r.data[r.at] {
		case '"':
			var ok bool
			if n, ok = quoted(r.rest()); !ok {
				return nil, false
			}
		case '{':
			depth++
		case '}':
			depth--
		}
		r.at += n
	}
	return r.data[from:r.at:r.at], true
}
