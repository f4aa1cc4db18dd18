package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

func TestCompletion(t *testing.T) {
	var g grammar
	p, err := newParser(&g, &terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, want string }{
		{"k|", "key"},
		{"bin |", "list"},
		{"key d|", "delete describe disable"},
		{"--output json key d|", "delete describe disable"},
		{"-o |", "json table"},
		{"-o j|", "json"},
		{"--output=t|", "--output=table"},
		{"account create --preset a|", "alibaba aws"},
		{"account create --preset=st|", "--preset=strict"},
		{"account create --name x --pre|", "--preset"},
		{"key list --all --st|", "--status"},
		{"audit list --action key.p|", "key.purged"},
		{"events tail --type key.u|", "key.unrestricted key.used"},
		{"key re|", "restore restrict"},
		{"gateway token |", "create list revoke"},
		{"completion |", "bash fish zsh"},
		{"completion bash |", ""},
		{"key show |", ""},
		{"serve --data |", ""},
		{"serve --profile |", "durable relaxed"},
		{"nosuch |", "account audit bin clock completion doctor events gateway key nats projection records recover report serve signature status user version"},
		{"comp|", "completion"}, // complete-words is for scripts
		{"key list --nosuch=x|", ""},
	} {
		words := strings.Split(strings.TrimSuffix(c.words, "|"), " ")
		if got := strings.Join(complete(p.Model.Node, words), " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.words, got, c.want)
		}
	}
	if got := complete(p.Model.Node, nil); got != nil {
		t.Errorf("without words: got %q", got)
	}
}

// TestPredictorsAreNamed holds that every predictor that the grammar names is there.
func TestPredictorsAreNamed(t *testing.T) {
	var g grammar
	p, err := newParser(&g, newTerminal())
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, leaf := range p.Model.Leaves(false) {
		for _, f := range allFlags(leaf) {
			used[f.Tag.Get("predictor")] = true
		}
	}
	delete(used, "")
	for name := range used {
		if predictors[name] == nil {
			t.Errorf("there is no predictor %q", name)
		}
	}
	if len(used) != len(predictors) {
		t.Errorf("got %d predictors in use of %d", len(used), len(predictors))
	}
}

// TestEveryFlagIsExplained holds the help to its promise.
func TestEveryFlagIsExplained(t *testing.T) {
	var g grammar
	p, err := newParser(&g, newTerminal())
	if err != nil {
		t.Fatal(err)
	}
	_ = kong.Visit(p.Model.Node, func(v kong.Visitable, next kong.Next) error {
		switch v := v.(type) {
		case *kong.Node:
			if v.Help == "" {
				t.Errorf("%s has no help", v.FullPath())
			}
		case *kong.Flag:
			if v.Help == "" {
				t.Errorf("--%s has no help", v.Name)
			}
		case *kong.Value:
			if v.Help == "" && !strings.HasPrefix(v.Name, "words") {
				t.Errorf("<%s> has no help", v.Name)
			}
		}
		return next(nil)
	})
}
