package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOverrides(t *testing.T) {
	for _, c := range []struct{ pairs, want string }{
		{"quota.max=5", `{"quota":{"max":5}}`},
		{"quota.max=5 quota.counts=active", `{"quota":{"counts":"active","max":5}}`},
		{"delete.requires_disabled=false", `{"delete":{"requires_disabled":false}}`},
		{"self_service=off", `{"self_service":"off"}`},
		{`signature.schemes=["AWS4-HMAC-SHA256"]`, `{"signature":{"schemes":["AWS4-HMAC-SHA256"]}}`},
		{"confirm.delete=type:DELETE", `{"confirm":{"delete":"type:DELETE"}}`},
		{"a.b.c=", `{"a":{"b":{"c":""}}}`},
	} {
		got, err := parseOverrides(strings.Fields(c.pairs))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.pairs, got, err, c.want)
		}
	}
	for _, pairs := range []string{"quota", "=5", "quota.=5", "quota.max=5 quota.max=6", "quota=5 quota.max=6", "quota.max=5 quota=6"} {
		if got, err := parseOverrides(strings.Fields(pairs)); exitFor(err) != exitUsage {
			t.Errorf("%s: got %s, %v; want a failure of usage", pairs, got, err)
		}
	}
}

func TestOverridesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	for text, want := range map[string]exitCode{`{"quota":{"max":5}}`: exitDone, `[]`: exitUsage, `{`: exitUsage, `{} {}`: exitUsage} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := (shaping{OverridesFile: path}).overrides(); exitFor(err) != want {
			t.Errorf("%s: got %v, want %d", text, err, want)
		}
	}
	if _, err := (shaping{OverridesFile: path + "2"}).overrides(); exitFor(err) != exitUsage {
		t.Errorf("a file that is not there: got %v", err)
	}
}
