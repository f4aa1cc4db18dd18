package account_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/events"
)

// The stories are written in this language.
//
//	given [operator] [preset=P] [tokens=N]
//	a command on each line, none of which may be refused
//	----
//	what the account is then
//
// begins a story with an account that is open, if a preset is named, and has as
// many gateway tokens, the first of which is 101.
//
//	when
//	a command on each line
//	----
//	what comes of each: events, nothing, or a refusal
//
// Commands are open, policy, network, add U, rename U, role U, grant U, revoke U, remove U,
// acknowledge P, clock, token T and untoken T, with arguments as their Go namesakes
// have. Users and gateway tokens are numbers, of which user 1 is root; x*300 is 300
// times x.
//
//	then
//	----
//	what the account is
func TestStories(t *testing.T) {
	datadriven.Walk(t, filepath.Join("testdata", "stories"), func(t *testing.T, path string) {
		var s account.State
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "given":
				s = opened(t, d)
				_, s = when(t, d, s, true)
				return shown(s)
			case "when":
				var told string
				told, s = when(t, d, s, false)
				return told
			case "then":
				return shown(s)
			}
			t.Fatalf("%s: unknown directive %q", d.Pos, d.Cmd)
			return ""
		})
	})
}

var now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func opened(t *testing.T, d *datadriven.TestData) account.State {
	preset := argument(d.CmdArgs, "preset")
	if preset == "" {
		return account.State{}
	}
	es, err := account.Decide(account.State{}, account.Open{
		Account: "123456789012", Name: "Example", Preset: preset, Operator: d.HasArg("operator"), RootUser: userOf("1"), RootName: "root",
	}, now)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	s := evolved(account.State{}, es)
	tokens, _ := strconv.Atoi(argument(d.CmdArgs, "tokens"))
	for n := range tokens {
		s = evolved(s, []events.Event{events.GatewayTokenCreated{Token: tokenOf(strconv.Itoa(101 + n)), Name: "edge", Account: s.ID, Hash: hash}})
	}
	return s
}

// hash is that of no token.
var hash = strings.Repeat("0123456789abcdef", 4)

func evolved(s account.State, es []events.Event) account.State {
	for _, e := range es {
		s = account.Evolve(s, e)
	}
	return s
}

func when(t *testing.T, d *datadriven.TestData, s account.State, must bool) (string, account.State) {
	lines := strings.Split(d.Input, "\n")
	var out strings.Builder
	for _, line := range lines {
		if line == "" {
			continue
		}
		es, err := account.Decide(s, command(t, d, line), now)
		if err != nil && must {
			t.Fatalf("%s: %s: %v", d.Pos, line, err)
		}
		s = evolved(s, es)
		if len(lines) > 1 {
			fmt.Fprintf(&out, "%s\n  ", line)
		}
		out.WriteString(outcome(es, err) + "\n")
	}
	return out.String(), s
}

func command(t *testing.T, d *datadriven.TestData, line string) account.Command {
	line, document, _ := strings.Cut(line, " overrides=")
	verb, args, err := datadriven.ParseLine(line)
	if err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	arg := func(name string) string { return argument(args, name) }
	var about string
	if len(args) > 0 && len(args[0].Vals) == 0 {
		about = args[0].Key
	}
	user := userOf(about)
	switch verb {
	case "open":
		return account.Open{
			Account: events.AccountID(or(arg("account"), "123456789012")), Name: arg("name"), Preset: arg("preset"),
			Overrides: json.RawMessage(document), RootUser: userOf(or(arg("root"), "1")), RootName: or(arg("rootname"), "root"),
		}
	case "policy":
		return account.SetPolicy{Preset: arg("preset"), Overrides: json.RawMessage(document)}
	case "network":
		p := events.NetworkPolicy{Status: or(arg("status"), events.NetworkActive)}
		for _, a := range args {
			if a.Key == "from" {
				p.Statements = append(p.Statements, events.NetworkStatement{Type: events.NetworkAddress, Addresses: a.Vals})
			}
		}
		return account.SetNetworkPolicy{Network: p}
	case "add":
		return account.AddUser{User: user, Name: arg("name"), Kind: or(arg("kind"), events.KindUser), Role: or(arg("role"), events.RoleUser)}
	case "rename":
		return account.RenameUser{User: user, Name: arg("name")}
	case "role":
		return account.ChangeRole{User: user, Role: arg("role")}
	case "grant":
		return account.Grant{User: user, Grant: or(arg("grant"), events.GrantManageOwnKeys)}
	case "revoke":
		return account.RevokeGrant{User: user, Grant: or(arg("grant"), events.GrantManageOwnKeys)}
	case "remove":
		return account.RemoveUser{User: user, KeyringClosed: arg("keyring") == "closed"}
	case "acknowledge":
		at, _ := strconv.ParseUint(arg("position"), 10, 64)
		return account.Acknowledge{Projection: about, Position: events.Position(at), Reason: arg("reason")}
	case "clock":
		return account.ConfirmClock{}
	case "token":
		return account.CreateGatewayToken{
			Token: tokenOf(about), Name: arg("name"), Installation: arg("for") == "installation", Hash: or(arg("hash"), hash),
		}
	case "untoken":
		return account.RevokeGatewayToken{Token: tokenOf(about)}
	}
	t.Fatalf("%s: unknown command %q", d.Pos, line)
	return nil
}

// userOf is the ID of the user with a number; what is no number is taken as it is.
func userOf(number string) events.UserID {
	if n, err := strconv.Atoi(number); err == nil && len(number) < 3 {
		return events.UserID(fmt.Sprintf("1%017d", n))
	}
	return events.UserID(number)
}

// tokenOf is the ID of the gateway token with a number; what is no number is taken
// as it is.
func tokenOf(number string) events.GatewayTokenID {
	if n, err := strconv.Atoi(number); err == nil {
		return events.GatewayTokenID(fmt.Sprintf("KLGT%016d", n))
	}
	return events.GatewayTokenID(number)
}

func numberOf(id string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(id, "1"), "KLGT"))
	if err != nil {
		return id
	}
	return strconv.Itoa(n)
}

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
		told[i] = e.Kind() + tell(e)
	}
	return strings.Join(told, "; ")
}

func tell(e events.Event) string {
	switch e := e.(type) {
	case events.AccountOpened:
		return fmt.Sprintf(" %s %q%s", e.Account, e.Name, chosen(e.Preset, e.Overrides, e.Policy))
	case events.PolicyChanged:
		return chosen(e.Preset, e.Overrides, e.Policy)
	case events.AccountNetworkPolicySet:
		return networkText(e.NetworkPolicy)
	case events.UserAdded:
		return fmt.Sprintf(" %s %s, %s, %s", numberOf(e.About()), e.Name, e.UserKind, e.Role)
	case events.UserRenamed:
		return fmt.Sprintf(" %s %s to %s", numberOf(e.About()), e.From, e.To)
	case events.UserRoleChanged:
		return fmt.Sprintf(" %s %s to %s", numberOf(e.About()), e.From, e.To)
	case events.UserGranted:
		return " " + numberOf(e.About()) + " " + e.Grant
	case events.UserGrantRevoked:
		return " " + numberOf(e.About()) + " " + e.Grant
	case events.UserRemoved:
		return " " + numberOf(e.About()) + " " + e.Name
	case events.RecordAcknowledged:
		return fmt.Sprintf(" %s at %d: %s", e.Projection, e.Position, e.Reason)
	case events.ClockConfirmed:
		return " at " + e.Clock.Format(time.RFC3339)
	case events.GatewayTokenCreated:
		return fmt.Sprintf(" %s %q of %s%s", numberOf(e.About()), e.Name, e.Account, map[bool]string{true: ", for the installation"}[e.Installation])
	case events.GatewayTokenRevoked:
		return fmt.Sprintf(" %s %q", numberOf(e.About()), e.Name)
	}
	return ""
}

// chosen is a policy in words: what was chosen, and one field of what came of it.
func chosen(preset string, overrides json.RawMessage, p events.Policy) string {
	text := " " + preset
	if overrides != nil {
		text += " with " + string(overrides)
	}
	return fmt.Sprintf("%s: %d keys", text, p.Quota.Max)
}

func networkText(p events.NetworkPolicy) string {
	text := " " + p.Status
	for _, s := range p.Statements {
		text += " " + s.Type + " " + strings.Join(s.Addresses, " ")
	}
	return text
}

// shown is the account in words.
func shown(s account.State) string {
	if !s.Opened {
		return "no account\n"
	}
	out := fmt.Sprintf("%s %q%s", s.ID, s.Name, chosen(s.Preset, s.Overrides, s.Policy))
	if s.Operator {
		out += ", operator"
	}
	if !s.Network.IsZero() {
		out += ", keys from" + networkText(s.Network)
	}
	for _, id := range slices.Sorted(maps.Keys(s.Users)) {
		u := s.Users[id]
		out += fmt.Sprintf("\n  %s %s, %s, %s %s", numberOf(string(id)), u.Name, u.Kind, u.Role, strings.Join(u.Grants, " "))
		out = strings.TrimRight(out, " ")
		if id == s.RootUser {
			out += " (root)"
		}
	}
	if s.LiveGatewayTokens > 0 {
		out += fmt.Sprintf("\n  %d live gateway tokens", s.LiveGatewayTokens)
	}
	return out + "\n"
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
