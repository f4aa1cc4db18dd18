package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func parserInTest(t *testing.T) (p *kong.Kong, printed *bytes.Buffer) {
	t.Helper()
	printed = &bytes.Buffer{}
	p, err := newParser(new(grammar), &terminal{out: printed, err: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	p.Exit = func(int) {}
	return p, printed
}

// TestEveryCommandTakesTheCommonFlags: a script gives all its commands the same ones.
func TestEveryCommandTakesTheCommonFlags(t *testing.T) {
	p, _ := parserInTest(t)
	leaves := p.Model.Leaves(false)
	if len(leaves) < 50 {
		t.Errorf("%d commands: this test looks in the wrong place", len(leaves))
	}
	for _, leaf := range leaves {
		for _, name := range []string{"--output", "-o", "--endpoint", "--credentials", "--ca-file", "--timeout"} {
			if flag(leaf, name) == nil && !leaf.Passthrough {
				t.Errorf("%s does not take %s", leaf.FullPath(), name)
			}
		}
		names := flagNames(leaf)
		slices.Sort(names)
		if once := slices.Compact(slices.Clone(names)); len(once) != len(names) {
			t.Errorf("%s has a flag twice: %v", leaf.FullPath(), names)
		}
	}
}

// TestWhoAsksNobodyDoesNotSpeakOfServers: and who asks one says how to name it.
func TestWhoAsksNobodyDoesNotSpeakOfServers(t *testing.T) {
	for command, speaks := range map[string]bool{
		"": true, "key": true, "key show": true, "doctor": true, "projection acknowledge": true,
		"serve": false, "recover": false, "nats user create": false, "signature check": false, "completion": false, "version": false,
	} {
		p, printed := parserInTest(t)
		_, _ = p.Parse(append(strings.Fields(command), "--help")) // it ends in a usage error: nothing else is given
		if got := strings.Contains(printed.String(), "--credentials=FILE"); got != speaks || !strings.Contains(printed.String(), "--output=FORMAT") {
			t.Errorf("%q: got\n%s", command, printed)
		}
	}
}
