package policy_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// The stories print the table of presets, and what overrides make of one.
func TestStories(t *testing.T) {
	datadriven.Walk(t, filepath.Join("testdata", "stories"), func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "presets":
				return table()
			case "override":
				var preset string
				d.ScanArgs(t, "preset", &preset)
				return override(preset, d.Input)
			}
			t.Fatalf("%s: unknown directive %q", d.Pos, d.Cmd)
			return ""
		})
	})
}

// table is the presets side by side, a row for each field.
func table() string {
	var rows []string
	columns := map[string][]string{}
	for _, p := range policy.Presets() {
		for _, f := range fields(p.Policy) {
			if !slices.Contains(rows, f.name) {
				rows = append(rows, f.name)
			}
			columns[f.name] = append(columns[f.name], f.value)
		}
	}
	var out strings.Builder
	line := func(name string, cells []string) {
		text := fmt.Sprintf("%-27s", name)
		for _, cell := range cells {
			text += fmt.Sprintf(" %-16s", cell)
		}
		out.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line("", policy.Names())
	for _, name := range rows {
		line(name, columns[name])
	}
	return out.String()
}

// override is what differs from the preset, or the refusal.
func override(preset, overrides string) string {
	p, err := policy.Effective(preset, json.RawMessage(overrides))
	var refused *aggregate.Refusal
	if errors.As(err, &refused) {
		return fmt.Sprintf("refused, %s, %s:\n  %s\n", refused.Kind, refused.Rule, refused.Detail)
	}
	plain, err := policy.Effective(preset, nil)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	before := fields(plain)
	for i, f := range fields(p) {
		if f != before[i] {
			fmt.Fprintf(&out, "%s: %s, not %s\n", f.name, f.value, before[i].value)
		}
	}
	if out.Len() == 0 {
		return "nothing differs\n"
	}
	return out.String()
}

type field struct{ name, value string }

// fields is a policy's fields by their names in JSON.
func fields(p events.Policy) []field {
	var out []field
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if f := v.Field(i); f.Kind() == reflect.Struct {
				walk(prefix+name+".", f)
			} else {
				out = append(out, field{prefix + name, fmt.Sprint(f.Interface())})
			}
		}
	}
	walk("", reflect.ValueOf(p))
	return out
}

// Every preset is a policy that could have been asked for.
func TestPresetsAreValid(t *testing.T) {
	for _, p := range policy.Presets() {
		got, err := policy.Effective(p.Name, nil)
		if err != nil || !reflect.DeepEqual(got, p.Policy) {
			t.Errorf("%s: got %+v, %v\nwant %+v", p.Name, got, err, p.Policy)
		}
		whole, err := json.Marshal(p.Policy)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := policy.Effective("obs", whole); err != nil || !reflect.DeepEqual(got, p.Policy) {
			t.Errorf("%s over obs: got %+v, %v", p.Name, got, err)
		}
		if p.Summary == "" {
			t.Errorf("%s has no summary", p.Name)
		}
	}
	if !slices.Contains(policy.Names(), policy.Default) {
		t.Errorf("the default %q is not a preset", policy.Default)
	}
}

// Nobody who was given a policy can change what others are given.
func TestPoliciesAreNotShared(t *testing.T) {
	override := json.RawMessage(`{"signature":{"schemes":["ONE","TWO"]}}`)
	first, err := policy.Effective("strict", override)
	if err != nil {
		t.Fatal(err)
	}
	first.Signature.Schemes[0] = "CHANGED"
	policy.Presets()[0].Policy.Quota.Max = 99
	policy.Names()[0] = "changed"
	second, err := policy.Effective("strict", override)
	if err != nil || second.Signature.Schemes[0] != "ONE" {
		t.Errorf("got %v, %v", second.Signature, err)
	}
	if got := policy.Presets()[0]; got.Policy.Quota.Max != 2 || policy.Names()[0] != "huawei" {
		t.Errorf("got %v, %v", got, policy.Names())
	}
}

// Seconds on disk are durations to the rules.
func TestDurations(t *testing.T) {
	p, err := policy.Effective("strict", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := policy.Retention(p).String() + " " + policy.MinIdle(p).String(); got != "720h0m0s 168h0m0s" {
		t.Errorf("got %s", got)
	}
}

// FuzzEffective: overrides come from outside. Whatever they are, the answer is a
// valid policy or a refusal.
func FuzzEffective(f *testing.F) {
	f.Add("strict", `{"quota":{"max":3,"counts":"active"}}`)
	f.Add("obs", `{"signature":{"schemes":["AWS4-HMAC-SHA256"]},"recycle":{"retention_seconds":60}}`)
	f.Add("aws", `null`)
	f.Fuzz(func(t *testing.T, preset, overrides string) {
		p, err := policy.Effective(preset, json.RawMessage(overrides))
		var refused *aggregate.Refusal
		if err != nil {
			if !errors.As(err, &refused) || refused.Kind != aggregate.Invalid {
				t.Fatalf("got %v", err)
			}
			return
		}
		whole, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := policy.Effective("aws", whole)
		if err != nil {
			t.Fatalf("what came out is refused: %v", err)
		}
		if text, _ := json.Marshal(again); string(text) != string(whole) {
			t.Fatalf("got %s, want %s", text, whole)
		}
	})
}
