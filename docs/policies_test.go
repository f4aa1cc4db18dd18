package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

const policiesHead = `# Policies

Generated from the presets in ` + "`aggregate/policy`" + ` by ` + "`make docs`" + `; do not edit.

A policy says what becomes of an account's keys. It is a preset and what overrides it:

` + "```sh" + `
keyledger account create --name acme --preset aws --override quota.max=5 --override delete.min_idle_seconds=604800 --override delete.min_idle_mode=block
keyledger account set-policy 123456789012 --preset aws --override recycle.retention_seconds=0
` + "```" + `

Overrides that are not named again are forgotten. The API takes them as JSON, of the same names one in another: ` + "`" + `{"preset":"aws","overrides":{"quota":{"max":5}}}` + "`" + `.

## Fields

| field | values | what it rules |
| --- | --- | --- |
`

// policyFields say what each field of a policy may be, and what it rules.
var policyFields = map[string][2]string{
	"quota.max":                 {"1 to 100", "how many keys a user may have"},
	"quota.counts":              {"`active`, `active+disabled`", "which keys count; those in the recycle bin never do"},
	"recycle.retention_seconds": {"0 to 315360000", "how long a deleted key can be restored; 0: it is purged at once"},
	"recycle.max_per_user":      {"0 to 1000", "how many keys of a user the recycle bin holds; 0: as many as there are"},
	"recycle.overflow":          {"`purge-oldest`, `refuse`", "what deleting does when the bin is full"},
	"recycle.applies_to_root":   {"`true`, `false`", "whether keys of the root user go into the bin, too; if not, they are purged at once"},
	"delete.requires_disabled":  {"`true`, `false`", "whether a key has to be disabled before it is deleted"},
	"delete.min_idle_seconds":   {"0 to 315360000", "how long a key must not have been used before it is deleted; 0: no rule. A key that was never used has none either"},
	"delete.min_idle_mode":      {"`warn`, `block`", "whether deleting one that was used since is warned of, or refused"},
	"confirm.disable":           {"`none`, `click`, `type:DELETE`, `type:key_id`", "what a person is asked before disabling; programs are not asked"},
	"confirm.enable":            {"as above", "before enabling"},
	"confirm.delete":            {"as above", "before deleting"},
	"root.create":               {"`allow`, `warn`, `deny`", "whether the root user may have keys, beside the one made at opening"},
	"self_service":              {"`on`, `grant`, `off`", "whether users manage their own keys: all, those who were granted it, or none"},
	"signature.schemes":         {"a list of names, such as `[\"AWS4-HMAC-SHA256\"]`; 32 at most", "which signature schemes the account's keys may use; every one if it is empty"},
	"network.precedence":        {"`replace`, `intersect`", "where a key has an active network policy of its own: it is asked alone, or it and the account's both have to allow"},
	"leak.action":               {"`deny-all`, `deny-management`", "what a key under leak protection is refused: every use, or requests to the ledger itself, while gateways are told that it is restricted"},
	"leak.unrestrict":           {"`admin`, `never`", "who may end that: an admin, or nobody, so that the key has to be replaced"},
}

// TestGeneratedPolicies holds that docs/policies.md has every field of a policy, and what each preset makes of it.
func TestGeneratedPolicies(t *testing.T) {
	want := policiesPage(t)
	if *update {
		if err := os.WriteFile("policies.md", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("policies.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/policies.md is not what the presets say: run `make docs` and read the difference")
	}
}

func policiesPage(t *testing.T) []byte {
	names := fieldsOf(reflect.TypeFor[events.Policy](), "")
	if len(names) != len(policyFields) {
		t.Errorf("a policy has %d fields, and %d are described", len(names), len(policyFields))
	}
	var page bytes.Buffer
	page.WriteString(policiesHead)
	for _, name := range names {
		says, ok := policyFields[name]
		if !ok {
			t.Errorf("%s is not described", name)
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s |\n", name, says[0], says[1])
	}
	page.WriteString("\n## Presets\n\nAn account that names none has `" + policy.Default + "`.\n\n")
	header, rule := "| field |", "| --- |"
	presets := policy.Presets()
	for _, p := range presets {
		fmt.Fprintf(&page, "- `%s`: %s\n", p.Name, p.Summary)
		header, rule = header+" "+p.Name+" |", rule+" --- |"
	}
	page.WriteString("\n" + header + "\n" + rule + "\n")
	for _, name := range names {
		fmt.Fprintf(&page, "| `%s` |", name)
		for _, p := range presets {
			fmt.Fprintf(&page, " %s |", valueOf(t, p.Policy, name))
		}
		page.WriteByte('\n')
	}
	return page.Bytes()
}

// fieldsOf are the names in JSON of the fields of a struct and of those within.
func fieldsOf(of reflect.Type, under string) (names []string) {
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if kind := of.Field(i).Type; kind.Kind() == reflect.Struct {
			names = append(names, fieldsOf(kind, under+name+".")...)
		} else {
			names = append(names, under+name)
		}
	}
	return names
}

// valueOf is a field of a policy in JSON.
func valueOf(t *testing.T, p events.Policy, name string) string {
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(name, ".") {
		object, _ := v.(map[string]any)
		v = object[part]
	}
	switch v := v.(type) {
	case nil:
		return "every one"
	case float64:
		return fmt.Sprintf("%.0f", v)
	case string:
		return v
	}
	return fmt.Sprint(v)
}
