package keyring_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/keyring"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

// The stories are written in this language. Times are days since the story began:
// +1d, +36h.
//
//	given [preset=P | preset=(P, Q)] [owner=root]
//	a fact on each line
//	----
//	what the keyring is then
//
// begins a story: the same one under each of the presets, under all if none is
// named. Facts are: created A, disabled A, enabled A, deleted A due=+30d, restored A,
// purged A, restricted A, closed, reopened.
//
//	policy
//	overrides in JSON
//	----
//
// gives the account another policy from here on.
//
//	when [at=+1d]
//	a command on each line
//	----
//	what comes of each: events, nothing, or a refusal
//
// Commands are create A, disable A, enable A, delete A, restore A, purge A, describe A,
// restrict A, unrestrict A, close, reopen, recover A, with arguments as their Go namesakes have; x*300 is 300
// times x. Where presets differ each outcome stands beside those that share it.
//
//	then
//	----
//	what the keyring is
func TestStories(t *testing.T) {
	datadriven.Walk(t, filepath.Join("testdata", "stories"), func(t *testing.T, path string) {
		var s story
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
	})
}

var began = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A story is told in several worlds at once, one for each preset.
type story struct {
	worlds []*world
	now    time.Time
	owner  string
}

type world struct {
	preset string
	policy events.Policy
	ring   keyring.State
}

func (s *story) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "given":
		s.begin(t, d)
		for _, line := range strings.Split(d.Input, "\n") {
			for _, w := range s.worlds {
				w.given(t, d, line)
			}
		}
		return s.each(func(w *world) string { return rings(w.ring) })
	case "policy":
		return s.each(func(w *world) string { return w.override(d.Input) })
	case "when":
		if d.HasArg("at") {
			s.now = moment(t, d, argument(d.CmdArgs, "at"))
		}
		return s.when(t, d)
	case "then":
		return s.each(func(w *world) string { return rings(w.ring) })
	}
	t.Fatalf("%s: unknown directive %q", d.Pos, d.Cmd)
	return ""
}

func (s *story) begin(t *testing.T, d *datadriven.TestData) {
	*s = story{now: began, owner: events.KindUser}
	presets := policy.Names()
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "preset":
			presets = arg.Vals
		case "owner":
			s.owner = arg.Vals[0]
		default:
			t.Fatalf("%s: unknown argument %q", d.Pos, arg.Key)
		}
	}
	for _, name := range presets {
		p, err := policy.Effective(name, nil)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		s.worlds = append(s.worlds, &world{preset: name, policy: p})
	}
}

func (w *world) given(t *testing.T, d *datadriven.TestData, line string) {
	if line == "" {
		return
	}
	verb, args := parse(t, d, line)
	key := keyOf(args)
	var e events.Event
	switch verb {
	case "created":
		e = events.KeyCreated{Key: key, Cause: events.CauseRequested, Description: argument(args, "description")}
	case "disabled":
		e = events.KeyDisabled{Key: key}
	case "enabled":
		e = events.KeyEnabled{Key: key}
	case "deleted":
		e = events.KeyDeleted{Key: key, PurgeAt: moment(t, d, argument(args, "due"))}
	case "restored":
		e = events.KeyRestored{Key: key}
	case "purged":
		e = events.KeyPurged{Key: key, Cause: events.CauseRequested}
	case "restricted":
		e = events.KeyRestricted{Key: key}
	case "closed":
		e = events.KeyringClosed{User: user}
	case "reopened":
		e = events.KeyringReopened{User: user}
	default:
		t.Fatalf("%s: unknown fact %q", d.Pos, line)
	}
	w.ring = keyring.Evolve(w.ring, e)
}

func (w *world) override(overrides string) string {
	p, err := policy.Effective(w.preset, json.RawMessage(overrides))
	if err != nil {
		return outcome(nil, err)
	}
	w.policy = p
	return "the policy is in force"
}

const user = events.UserID("234567890123456789")

func (s *story) when(t *testing.T, d *datadriven.TestData) string {
	lines := strings.Split(d.Input, "\n")
	var out strings.Builder
	for _, line := range lines {
		told := s.each(func(w *world) string {
			es, err := keyring.Decide(w.ring, s.command(t, d, line, w.policy), s.now)
			for _, e := range es {
				w.ring = keyring.Evolve(w.ring, e)
			}
			return outcome(es, err)
		})
		if len(lines) > 1 {
			told = line + "\n" + indent(told)
		}
		out.WriteString(told)
	}
	return out.String()
}

func (s *story) command(t *testing.T, d *datadriven.TestData, line string, p events.Policy) keyring.Command {
	verb, args := parse(t, d, line)
	key := keyOf(args)
	switch verb {
	case "create":
		return keyring.Create{
			Key: key, Description: argument(args, "description"), Cause: or(argument(args, "cause"), events.CauseRequested),
			Disabled: argument(args, "disabled") != "", Policy: p, OwnerKind: s.owner,
		}
	case "disable":
		return keyring.Disable{Key: key, Reason: argument(args, "reason")}
	case "enable":
		return keyring.Enable{Key: key, Policy: p}
	case "delete":
		c := keyring.Delete{Key: key, Policy: p, OwnerKind: s.owner}
		if used := argument(args, "used"); used != "" {
			c.LastUsed = moment(t, d, used)
		}
		return c
	case "restore":
		return keyring.Restore{Key: key, Policy: p}
	case "purge":
		return keyring.Purge{Key: key, Cause: or(argument(args, "cause"), events.CauseRequested)}
	case "network":
		return keyring.SetNetworkPolicy{Key: key, Network: network(args)}
	case "describe":
		return keyring.Describe{Key: key, Description: argument(args, "description")}
	case "restrict":
		return keyring.Restrict{Key: key, Reason: argument(args, "reason"), FoundIn: argument(args, "found")}
	case "unrestrict":
		return keyring.Unrestrict{Key: key, Reason: argument(args, "reason"), Policy: p}
	case "update":
		c := keyring.Update{Key: key, Policy: p}
		if text := argument(args, "description"); text != "" {
			c.Description = &text
		}
		if status := argument(args, "status"); status != "" {
			active := status == "active"
			c.Active = &active
		}
		return c
	case "close":
		return keyring.Close{User: user}
	case "reopen":
		return keyring.Reopen{User: user}
	case "recover":
		return keyring.Recover{Key: key, Policy: p}
	}
	t.Fatalf("%s: unknown command %q", d.Pos, line)
	return nil
}

// each tells the story in every world and puts the same tellings together.
func (s *story) each(tell func(*world) string) string {
	var tellings []string
	told := map[string][]string{}
	for _, w := range s.worlds {
		text := tell(w)
		if told[text] == nil {
			tellings = append(tellings, text)
		}
		told[text] = append(told[text], w.preset)
	}
	if len(s.worlds) == 1 {
		return tellings[0] + "\n"
	}
	if len(tellings) == 1 {
		return "all: " + tellings[0] + "\n"
	}
	var out strings.Builder
	for _, text := range tellings {
		out.WriteString(strings.Join(told[text], ", ") + ":\n" + indent(text))
	}
	return out.String()
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n  ") + "\n"
}

// outcome is what came of a command, in words.
func outcome(es []events.Event, err error) string {
	var refused *aggregate.Refusal
	switch {
	case errors.As(err, &refused):
		return fmt.Sprintf("refused, %s, %s: %s", refused.Kind, refused.Rule, refused.Detail)
	case err != nil:
		return "FAULT " + err.Error()
	case len(es) == 0:
		return "nothing"
	}
	told := make([]string, len(es))
	for i, e := range es {
		told[i] = tell(e)
	}
	return strings.Join(told, "; ")
}

func tell(e events.Event) string {
	text := e.Kind() + " " + e.About()
	switch e := e.(type) {
	case events.KeyCreated:
		text += because(e.Cause) + quoted(e.Description) + warned(e.Warnings)
	case events.KeyDisabled:
		text += quoted(e.Reason)
	case events.KeyDeleted:
		text += " due " + since(e.PurgeAt) + warned(e.Warnings)
		if !e.LastUsed.IsZero() {
			text += ", last used " + since(e.LastUsed)
		}
	case events.KeyPurged:
		text += because(e.Cause)
	case events.KeyNetworkPolicySet:
		text += networkText(e.NetworkPolicy)
	case events.KeyRestricted:
		text += quoted(e.Reason) + quoted(e.FoundIn)
	case events.KeyUnrestricted:
		text += quoted(e.Reason)
	case events.KeyDescribed:
		text += " " + strconv.Quote(e.Description)
	}
	return text
}

func because(cause string) string { return " (" + cause + ")" }

func warned(rules []string) string {
	if len(rules) == 0 {
		return ""
	}
	return ", warning of " + strings.Join(rules, ", ")
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return " " + strconv.Quote(text)
}

// rings is what a keyring is, in words.
func rings(s keyring.State) string {
	var told []string
	if s.Closed {
		told = append(told, "closed")
	}
	for _, k := range s.Keys {
		text := string(k.ID) + " " + string(k.Status) + quoted(k.Description)
		if !k.Network.IsZero() {
			text += " from" + networkText(k.Network)
		}
		if k.Restricted {
			text += " restricted"
		}
		if k.Status == keyring.Deleted {
			text += " due " + since(k.PurgeAt)
		}
		told = append(told, text)
	}
	if len(told) == 0 {
		return "no keys"
	}
	return strings.Join(told, ", ")
}

func parse(t *testing.T, d *datadriven.TestData, line string) (string, []datadriven.CmdArg) {
	verb, args, err := datadriven.ParseLine(line)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	return verb, args
}

// keyOf is the key that a line names: its first argument without a value.
func keyOf(args []datadriven.CmdArg) events.AccessKeyID {
	if len(args) == 0 || len(args[0].Vals) > 0 {
		return ""
	}
	return events.AccessKeyID(times(args[0].Key))
}

func argument(args []datadriven.CmdArg, name string) string {
	for _, arg := range args {
		if arg.Key == name {
			return times(strings.Join(arg.Vals, ", "))
		}
	}
	return ""
}

// times is text with its escapes resolved, and x*3 as xxx.
func times(text string) string {
	if unquoted, err := strconv.Unquote(`"` + text + `"`); err == nil {
		text = unquoted
	}
	if x, n, ok := strings.Cut(text, "*"); ok {
		if n, err := strconv.Atoi(n); err == nil {
			return strings.Repeat(x, n)
		}
	}
	return text
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func moment(t *testing.T, d *datadriven.TestData, text string) time.Time {
	var after time.Duration
	rest := strings.TrimPrefix(text, "+")
	if days, hours, ok := strings.Cut(rest, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		after, rest = time.Duration(n)*24*time.Hour, hours
	}
	if rest != "" {
		clock, err := time.ParseDuration(rest)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		after += clock
	}
	return began.Add(after)
}

// since is the inverse of moment.
func since(at time.Time) string {
	after := at.Sub(began)
	text := fmt.Sprintf("+%dd", after/(24*time.Hour))
	if rest := after % (24 * time.Hour); rest != 0 {
		text += rest.String()
	}
	return text
}

// network is the policy that a line describes: from=(a, b) is a statement on addresses.
func network(args []datadriven.CmdArg) events.NetworkPolicy {
	p := events.NetworkPolicy{Status: or(argument(args, "status"), events.NetworkActive)}
	for _, arg := range args {
		if arg.Key == "from" {
			p.Statements = append(p.Statements, events.NetworkStatement{Type: events.NetworkAddress, Addresses: arg.Vals})
		}
	}
	return p
}

func networkText(p events.NetworkPolicy) string {
	text := " " + p.Status
	for _, s := range p.Statements {
		text += " " + s.Type + " " + strings.Join(s.Addresses, " ")
	}
	return text
}
