package docs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
)

var update = flag.Bool("update", false, "write the generated pages anew")

const eventsHead = `# Events

Generated from the catalog in ` + "`events/catalog.go`" + ` by ` + "`make docs`" + `; do not edit.

The log holds decisions. One decision is one message: a [CloudEvents 1.0](https://cloudevents.io) batch in JSON
(` + "`" + events.ContentType + "`" + `) of one to n events, recorded together or not at all. Names and versions are on disk for ever. A field
of an event never changes its meaning; a new shape gets a higher version, and old ones are lifted when they are read.

## The envelope

| attribute | meaning |
| --- | --- |
| ` + "`id`" + ` | UUID version 7 of the event |
| ` + "`source`" + ` | ` + "`/accounts/<account>`, `/accounts/<account>/users/<user>`" + ` for what concerns a user's keys, or ` + "`/keys/<access key ID>`" + ` for the reservation of an imported key's ID |
| ` + "`type`" + ` | ` + "`dev.keyledger.<name>.v<version>`" + ` |
| ` + "`subject`" + ` | the access key ID, user ID, account ID, gateway token ID or projection that the event is about |
| ` + "`time`" + ` | when it was decided, UTC |
| ` + "`actor`" + ` | who asked: ` + "`<account>/<user>`, or `system:<part>`" + ` |
| ` + "`actorkey`" + ` | the access key that signed the request |
| ` + "`requestid`, `requestdigest`, `requestscope`" + ` | names the request for ever; what was asked; the account in which the name is unique, if it is not the source's |
| ` + "`sourceip`, `dialect`" + ` | from where, and in whose manner it was asked |
| ` + "`policyposition`" + ` | the position of the account as it was read: the policy in force |

## The events
`

// TestGeneratedPages holds that docs/events.md says what the catalog says.
func TestGeneratedPages(t *testing.T) {
	want := eventsPage(t)
	if *update {
		if err := os.WriteFile("events.md", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("events.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/events.md is not what the catalog says: run `make docs` and read the difference")
	}
}

func eventsPage(t *testing.T) []byte {
	var page bytes.Buffer
	page.WriteString(eventsHead)
	for _, e := range events.Catalog() {
		fmt.Fprintf(&page, "\n### %s\n\n%s Type `%s`.\n\n| field | JSON |\n| --- | --- |\n", e.Name, e.Summary, e.Type)
		for i := range e.Shape.NumField() {
			name, _, _ := strings.Cut(e.Shape.Field(i).Tag.Get("json"), ",")
			fmt.Fprintf(&page, "| `%s` | %s |\n", name, jsonKind(e.Shape.Field(i).Type))
		}
		fmt.Fprintf(&page, "\n```json\n%s\n```\n", sample(t, e))
	}
	return page.Bytes()
}

func jsonKind(t reflect.Type) string {
	switch {
	case t.String() == "time.Time":
		return "time, RFC 3339"
	case t.String() == "json.RawMessage":
		return "object"
	case t.Kind() == reflect.Struct:
		return "object"
	case t.Kind() == reflect.Slice:
		return "array of " + jsonKind(t.Elem())
	case t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "boolean"
	}
	return "number"
}

// sample is the data of the event that is kept for this name and version.
func sample(t *testing.T, e events.Entry) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "events", "testdata", "facts", e.Name, fmt.Sprintf("v%d.json", e.Version)))
	if err != nil {
		t.Fatal(err)
	}
	var batch []struct {
		Type string          `json:"type"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(text, &batch); err != nil {
		t.Fatal(err)
	}
	for _, one := range batch {
		if one.Type == e.Type {
			var out bytes.Buffer
			if err := json.Indent(&out, one.Data, "", "  "); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
	}
	t.Fatalf("the sample of %s holds no event of that type", e.Type)
	return ""
}

// TestEnvelope holds the rows of the envelope that two pages have to each other, and to every kind of source that there is.
func TestEnvelope(t *testing.T) {
	rows := map[string][2]string{}
	for page, name := range []string{"events.md", "format/headers.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, attribute := range []string{"source", "subject"} {
			_, row, _ := strings.Cut(string(text), "\n| `"+attribute+"` | ")
			row, _, _ = strings.Cut(row, " |\n")
			both := rows[attribute]
			both[page] = row
			rows[attribute] = both
		}
	}
	for _, s := range []events.Subject{
		events.AccountSubject("<account>"), events.KeyringSubject("<account>", "<user>"), events.ReservationSubject("<access key ID>"),
	} {
		for page, row := range rows["source"] {
			if !strings.Contains(row, "`"+s.Source()+"`") {
				t.Errorf("page %d says nothing of the source %s: %q", page, s.Source(), row)
			}
		}
	}
	if both := rows["subject"]; both[0] != both[1] || both[0] == "" {
		t.Errorf("a subject is %q on one page, %q on the other", both[0], both[1])
	}
}
