package main

import (
	"embed"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/feed"
)

//go:embed completion
var completionScripts embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script of a shell. Each asks "keyledger complete-words" what
// the last word can become, so that none of them knows a command by name.
func (c *completionCommand) Run(t *terminal) error {
	script, err := completionScripts.ReadFile("completion/keyledger." + c.Shell)
	if err != nil {
		return err
	}
	return t.write(script)
}

type completeCommand struct {
	Words []string `arg:"" optional:"" empty:""`
}

// Run prints what the last of the words can become, one candidate a line;
// nothing where a file is wanted.
func (c *completeCommand) Run(k *kong.Kong, t *terminal) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	var b strings.Builder
	for _, w := range complete(k.Model.Node, words) {
		b.WriteString(w + "\n")
	}
	return t.write([]byte(b.String()))
}

// predictors are the values of flags that are free in the grammar because the
// server decides about them.
var predictors = map[string]func() []string{
	"presets": policy.Names,
	"roles":   func() []string { return []string{events.RoleAdmin, events.RoleUser, events.RoleAuditor} },
	"kinds":   func() []string { return []string{events.KindUser, events.KindCollaborator} },
	"statuses": func() []string {
		return []string{events.StatusActive, events.StatusDisabled, events.StatusDeleted, events.StatusPurged}
	},
	"types": func() []string {
		var names []string
		for _, t := range feed.Types() {
			names = append(names, readable(t))
		}
		return names
	},
	"actions": func() []string {
		var names []string
		for _, e := range events.Catalog() {
			names = append(names, e.Name)
		}
		return names
	},
}

// complete is what the last of the words can become.
func complete(root *kong.Node, words []string) []string {
	if len(words) == 0 {
		return nil
	}
	node, last := root, words[len(words)-1]
	var waiting *kong.Flag // whose value comes next
	places := 0            // positional arguments so far
	for _, w := range words[:len(words)-1] {
		switch {
		case waiting != nil:
			waiting = nil
		case strings.HasPrefix(w, "-"):
			waiting = wantsValue(node, w)
		case child(node, w) != nil:
			node = child(node, w)
		default:
			places++
		}
	}
	if waiting != nil {
		return matching(values(waiting.Value), last)
	}
	return candidates(node, last, places)
}

func candidates(node *kong.Node, last string, places int) []string {
	if name, value, found := strings.Cut(last, "="); found && strings.HasPrefix(name, "--") {
		return flagValues(node, name, value)
	}
	if strings.HasPrefix(last, "-") {
		return matching(flagNames(node), last)
	}
	var names []string
	for _, c := range node.Children {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	if places < len(node.Positional) {
		names = append(names, values(node.Positional[places])...)
	}
	return matching(names, last)
}

func flagValues(node *kong.Node, name, value string) []string {
	f := flag(node, name)
	if f == nil {
		return nil
	}
	var out []string
	for _, v := range matching(values(f.Value), value) {
		out = append(out, name+"="+v)
	}
	return out
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// wantsValue is the flag that a word gives, if its value is the next word.
func wantsValue(node *kong.Node, word string) *kong.Flag {
	f := flag(node, word)
	if f == nil || f.IsBool() {
		return nil
	}
	return f
}

func flag(node *kong.Node, word string) *kong.Flag {
	for _, f := range allFlags(node) {
		if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
			return f
		}
	}
	return nil
}

func allFlags(node *kong.Node) []*kong.Flag {
	return slices.Concat(node.AllFlags(true)...)
}

func flagNames(node *kong.Node) []string {
	var names []string
	for _, f := range allFlags(node) {
		names = append(names, "--"+f.Name)
	}
	return names
}

// values is what a flag or an argument can be, if that is a closed set.
func values(v *kong.Value) []string {
	if predict := predictors[v.Tag.Get("predictor")]; predict != nil {
		return predict()
	}
	if v.Enum == "" {
		return nil
	}
	return v.EnumSlice()
}

func matching(words []string, prefix string) []string {
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return out
}
