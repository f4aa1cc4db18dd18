package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// A document is the OpenAPI document as it is served, and what it was held to.
// Every exchange of every test is checked against it.
type document struct {
	raw        []byte
	OpenAPI    string `json:"openapi"`
	Paths      map[string]map[string]*operation
	Components struct {
		Schemas map[string]*schema
	}

	mu   sync.Mutex
	seen map[string]map[int]bool // statuses by operation ID
}

type operation struct {
	ID          string `json:"operationId"`
	Tags        []string
	Description string
	Parameters  []parameter
	Security    []map[string][]string
	RequestBody *struct {
		Required bool
		Content  map[string]media
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]media
		Headers map[string]struct {
			Description string
			Schema      *schema
		}
	}
}

// open is whether it needs no caller; forProxies whether it is a proxy's to ask.
func (o *operation) open() bool { return len(o.Security) == 1 && len(o.Security[0]) == 0 }

func (o *operation) forProxies() bool {
	return len(o.Security) == 1 && o.Security[0]["proxy"] != nil
}

type parameter struct {
	Name, In string
	Required bool
	Schema   *schema
}

type media struct{ Schema *schema }

func fetchDocument(url string) (*document, error) {
	res, err := http.Get(url + "/openapi.json")
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	d := &document{seen: map[string]map[int]bool{}}
	if d.raw, err = io.ReadAll(res.Body); err != nil {
		return nil, err
	}
	return d, json.Unmarshal(d.raw, d)
}

// find is the operation that a request is to; nil if there is none.
func (d *document) find(method, path string) (o *operation, template string) {
	for template, methods := range d.Paths {
		if !matches(template, path) {
			continue
		}
		if o := methods[strings.ToLower(method)]; o != nil {
			return o, template
		}
	}
	return nil, ""
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && (!strings.HasPrefix(want[i], "{") || got[i] == "") {
			return false
		}
	}
	return true
}

// check is everything in which an exchange is not as documented.
func (d *document) check(k call, a answer) []string {
	path, query, _ := strings.Cut(k.path, "?")
	o, template := d.find(k.method, path)
	if o == nil {
		return nil
	}
	d.mu.Lock()
	if d.seen[o.ID] == nil {
		d.seen[o.ID] = map[int]bool{}
	}
	d.seen[o.ID][a.status] = true
	d.mu.Unlock()
	out := d.checkAnswer(o, a)
	if a.status < 300 {
		out = append(out, d.checkRequest(o, template, path, query, k)...)
	}
	return out
}

// checkRequest holds what was carried out to what is documented: nothing is
// taken that the document does not know.
func (d *document) checkRequest(o *operation, template, path, query string, k call) []string {
	var out []string
	values, _ := url.ParseQuery(query)
	for name, v := range values {
		i := slices.IndexFunc(o.Parameters, func(p parameter) bool { return p.In == "query" && p.Name == name })
		if i < 0 {
			out = append(out, "the query parameter "+name+" was taken")
			continue
		}
		if v[0] != "" {
			out = append(out, d.conforms(o.Parameters[i].Schema, typed(v[0], o.Parameters[i].Schema), "query "+name)...)
		}
	}
	segments := strings.Split(path, "/")
	for i, part := range strings.Split(template, "/") {
		if strings.HasPrefix(part, "{") {
			at := slices.IndexFunc(o.Parameters, func(p parameter) bool { return p.In == "path" && "{"+p.Name+"}" == part })
			out = append(out, d.conforms(o.Parameters[at].Schema, segments[i], part)...)
		}
	}
	switch {
	case k.body == "" && o.RequestBody != nil && o.RequestBody.Required:
		out = append(out, "a body is required and none was sent")
	case k.body != "" && o.RequestBody == nil:
		out = append(out, "a body was taken")
	case k.body != "":
		out = append(out, d.checkBody(o.RequestBody.Content["application/json"].Schema, []byte(k.body))...)
	}
	return out
}

// typed is the text of a parameter as JSON would have it.
func typed(text string, s *schema) any {
	if b, err := strconv.ParseBool(text); err == nil && slices.Contains(s.types(), "boolean") {
		return b
	}
	if n, err := strconv.ParseFloat(text, 64); err == nil && slices.Contains(s.types(), "integer") {
		return n
	}
	return text
}

func (d *document) checkAnswer(o *operation, a answer) []string {
	r, ok := o.Responses[strconv.Itoa(a.status)]
	if !ok {
		return []string{"the status is not documented"}
	}
	var out []string
	for name, h := range r.Headers {
		if a.header.Get(name) == "" && !strings.HasPrefix(h.Description, "only if ") {
			out = append(out, "the header "+name+" is missing")
		}
	}
	if len(r.Content) == 0 {
		if len(a.body) > 0 {
			out = append(out, "there is a body")
		}
		return out
	}
	m, ok := r.Content[a.header.Get("Content-Type")]
	if !ok {
		return append(out, "the content type "+a.header.Get("Content-Type")+" is not documented")
	}
	if zone.Match(a.body) {
		out = append(out, "a time is not in UTC")
	}
	switch a.header.Get("Content-Type") {
	case "application/openapi+json", "application/openapi+yaml":
		return out
	case "text/event-stream", "text/plain; charset=utf-8", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores":
		return append(out, d.conforms(m.Schema, string(a.body), "body")...)
	case "application/x-ndjson":
		for line := range bytes.Lines(a.body) {
			out = append(out, d.checkBody(m.Schema, line)...)
		}
		return out
	}
	return append(out, d.checkBody(m.Schema, a.body)...)
}

// zone is the end of a time that is not in UTC.
var zone = regexp.MustCompile(`T[0-9:.]+[+-][0-9:]+"`)

func (d *document) checkBody(s *schema, body []byte) []string {
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return []string{"the body is not JSON: " + err.Error()}
	}
	return d.conforms(s, v, "body")
}

// A schema is JSON Schema 2020-12 as far as the document uses it. A keyword
// that is not known here is an error, so that none is passed over.
type schema struct {
	all  map[string]json.RawMessage
	Ref  string `json:"$ref"`
	Type any

	Properties           map[string]*schema
	Required             []string
	AdditionalProperties any
	Items                *schema
	Enum                 []any
	Format               string
	Pattern              string
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
	Minimum, Maximum     *float64
}

var keywords = []string{
	"$ref", "type", "properties", "required", "additionalProperties", "items", "enum", "format", "pattern", "minLength", "maxLength",
	"minItems", "maxItems", "minimum", "maximum", "description", "default", "title", "examples",
}

func (s *schema) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &s.all); err != nil {
		return err
	}
	for name := range s.all {
		if !slices.Contains(keywords, name) {
			return fmt.Errorf("the keyword %q of JSON Schema is not known to this test", name)
		}
	}
	type plain schema
	return json.Unmarshal(b, (*plain)(s))
}

func (s *schema) types() []string {
	switch t := s.Type.(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, one := range t {
			out = append(out, one.(string))
		}
		return out
	}
	return nil
}

// conforms is everything in which v is not as s says.
func (d *document) conforms(s *schema, v any, at string) (out []string) {
	if s.Ref != "" {
		to := d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
		if to == nil {
			return []string{at + ": " + s.Ref + " leads nowhere"}
		}
		return d.conforms(to, v, at)
	}
	say := func(format string, args ...any) { out = append(out, at+": "+fmt.Sprintf(format, args...)) }
	if t := s.types(); len(t) > 0 && !slices.ContainsFunc(t, func(t string) bool { return isType(t, v) }) {
		say("%v is not of the type %v", v, t)
		return out
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
		say("%v is not one of %v", v, s.Enum)
	}
	switch v := v.(type) {
	case string:
		s.text(v, say)
	case float64:
		if s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			say("%v is out of bounds", v)
		}
	case []any:
		if s.MinItems != nil && len(v) < *s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
			say("%d items are too few or too many", len(v))
		}
		for i, item := range v {
			out = append(out, d.conforms(s.Items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		out = append(out, d.object(s, v, at)...)
	}
	return out
}

func (d *document) object(s *schema, v map[string]any, at string) (out []string) {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			out = append(out, at+": "+name+" is missing")
		}
	}
	for name, value := range v {
		switch p := s.Properties[name]; {
		case p != nil:
			out = append(out, d.conforms(p, value, at+"."+name)...)
		case s.AdditionalProperties == false:
			out = append(out, at+": "+name+" is not documented")
		}
	}
	return out
}

func (s *schema) text(v string, say func(string, ...any)) {
	n := utf8.RuneCountInString(v)
	if s.MinLength != nil && n < *s.MinLength || s.MaxLength != nil && n > *s.MaxLength {
		say("%q is too short or too long", v)
	}
	if s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(v) {
		say("%q does not match %s", v, s.Pattern)
	}
	if s.Format == "date-time" {
		at, err := time.Parse(time.RFC3339, v)
		if err != nil || at.IsZero() {
			say("%q is not a time", v)
		}
	}
}

func isType(t string, v any) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case string:
		return t == "string"
	case bool:
		return t == "boolean"
	case float64:
		return t == "number" || t == "integer" && v == math.Trunc(v)
	case []any:
		return t == "array"
	case map[string]any:
		return t == "object"
	}
	return false
}

// went says whether an operation was ever answered with a success.
func (d *document) went(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for status := range d.seen[id] {
		if status < 300 {
			return true
		}
	}
	return false
}

// TestDocument: the description needs no key, is of OpenAPI 3.1, names every
// operation once, and gives every error the one form.
func TestDocument(t *testing.T) {
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/livez", "/readyz"} {
		if a := the.root.send(t, call{method: "GET", path: path, unsigned: true}); a.status != 200 || a.header.Get("X-Keyledger-Request-Id") == "" {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if !strings.HasPrefix(the.document.OpenAPI, "3.1.") {
		t.Errorf("it is of OpenAPI %s", the.document.OpenAPI)
	}
	ids := map[string]bool{}
	for path, methods := range the.document.Paths {
		for method, o := range methods {
			if ids[o.ID] || !o.open() && !strings.HasPrefix(path, "/v1/") {
				t.Errorf("%s %s: %s is there twice or in no version", method, path, o.ID)
			}
			ids[o.ID] = true
			if o.open() || o.forProxies() {
				continue
			}
			for status, r := range o.Responses {
				if status < "400" {
					continue
				}
				if m, ok := r.Content["application/problem+json"]; !ok || m.Schema.Ref != "#/components/schemas/Problem" || len(r.Content) != 1 {
					t.Errorf("%s: %s is no problem", o.ID, status)
				}
			}
			for _, status := range []string{"400", "401", "403", "404", "409", "413", "422", "500", "503"} {
				if _, ok := o.Responses[status]; !ok {
					t.Errorf("%s: %s is not documented", o.ID, status)
				}
			}
		}
	}
}

// TestIdempotencyIsPromised: of what is sent again under one Idempotency-Key the description says that it acts once, and of a
// verification, which does not, it says that.
func TestIdempotencyIsPromised(t *testing.T) {
	for path, methods := range the.document.Paths {
		for method, o := range methods {
			promised := slices.ContainsFunc(o.Parameters, func(p parameter) bool { return p.Name == "Idempotency-Key" })
			anew := slices.Contains(o.Tags, "verification")
			if promised != (method != "get" && !anew) {
				t.Errorf("%s %s: takes an Idempotency-Key: %v", method, path, promised)
			}
			says := []string{"anew"}
			if strings.HasPrefix(path, "/v1/verify") {
				says = append(says, "request_id")
			}
			for _, word := range says {
				if anew && method != "get" && !strings.Contains(o.Description, word) {
					t.Errorf("%s %s: does not say %q: %q", method, path, word, o.Description)
				}
			}
		}
	}
}
