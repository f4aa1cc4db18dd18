package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/keyledger/keyledger/aggregate/policy"
)

// grammar is every command, with the flags that all of them take.
type grammar struct {
	Output string `short:"o" enum:"table,json" default:"table" placeholder:"FORMAT" help:"What to print: a table for people, or json for programs."`
	connection
	ShowVersion kong.VersionFlag `name:"version" help:"Print the version, as the command version does."`

	Serve   serveCommand   `cmd:"" asks:"nobody" group:"server" help:"Run a server."`
	Recover recoverCommand `cmd:"" asks:"nobody" group:"server" help:"Make a new operator's root key while the server is stopped, for whoever holds the unlock key and has lost every other."`
	NATS    natsCommands   `cmd:"" asks:"nobody" name:"nats" group:"server" help:"Who may read the log over NATS."`
	Doctor  doctorCommand  `cmd:"" group:"server" help:"Look whether the data of a stopped server is whole, or with --endpoint or --credentials how a running one is."`

	Account    accountCommands    `cmd:"" group:"client" help:"Accounts and their policies."`
	User       userCommands       `cmd:"" group:"client" help:"The users of an account."`
	Key        keyCommands        `cmd:"" group:"client" help:"Access keys."`
	Bin        binCommands        `cmd:"" group:"client" help:"The recycle bin."`
	Gateway    gatewayCommands    `cmd:"" group:"client" help:"Gateways that ask whether a request is genuine."`
	Audit      auditCommands      `cmd:"" group:"client" help:"What happened, when and by whom."`
	Events     eventCommands      `cmd:"" group:"client" help:"What happens, as it happens."`
	Records    recordCommands     `cmd:"" group:"client" help:"Who used a key, when and from where."`
	Report     reportCommands     `cmd:"" group:"client" help:"Reports over an account's keys."`
	Status     statusCommand      `cmd:"" group:"client" help:"Show the state of the installation (operator)."`
	Clock      clockCommands      `cmd:"" group:"client" help:"The server's clock (operator)."`
	Projection projectionCommands `cmd:"" group:"client" help:"What the server has derived from its log (operator)."`

	Signature  signatureCommands `cmd:"" asks:"nobody" group:"other" help:"Signatures of requests, without a server."`
	Completion completionCommand `cmd:"" asks:"nobody" group:"other" help:"Print a script that completes commands and flags in a shell."`
	Complete   completeCommand   `cmd:"" name:"complete-words" hidden:"" passthrough:"" help:"Print what the last word can become."`
	Version    versionCommand    `cmd:"" asks:"nobody" group:"other" help:"Print the version."`
}

var groups = []kong.Group{
	{Key: "server", Title: "Server:"},
	{Key: "client", Title: "Client of a running server:"},
	{Key: "other", Title: "Other:"},
	{Key: "connection", Title: "Connection:"},
}

func newParser(g *grammar, t *terminal) (*kong.Kong, error) {
	return kong.New(g,
		kong.Name("keyledger"),
		kong.Description("An event-sourced ledger of access keys.\n\n"+exitTable()),
		kong.ConfigureHelp(kong.HelpOptions{NoAppDescFormat: true, Compact: true, FlagsLast: true}),
		kong.Help(help),
		kong.ExplicitGroups(groups),
		kong.Writers(t.out, t.err),
		kong.Vars{"version": "keyledger " + version, "preset_help": "One of " + strings.Join(policy.Names(), ", ") + "; " + policy.Default + " for a new account if left out."},
		kong.Bind(t, &g.connection),
		kong.BindToProvider(g.client),
	)
}

// help leaves the connection's flags out where a command asks no server. It takes them all the same, so that one set of
// flags does for every command of a script. --version is of no command.
func help(options kong.HelpOptions, c *kong.Context) error {
	for _, f := range c.Model.Flags {
		f.Hidden = f.Name == "version" && c.Selected() != nil || f.Group != nil && f.Group.Key == "connection" && asksNobody(c.Selected())
	}
	return kong.DefaultHelpPrinter(options, c)
}

// asksNobody says whether a command does its work without a server.
func asksNobody(n *kong.Node) bool {
	for ; n != nil; n = n.Parent {
		if n.Tag != nil && n.Tag.Has("asks") {
			return true
		}
	}
	return false
}

// nothingEmpty refuses a text that is given and empty, which a shell makes of a variable that is not set: taken for left
// out, it would stand for any user or for the first. Where it has a meaning, the grammar says empty.
func nothingEmpty(c *kong.Context) error {
	for _, p := range c.Path {
		v := p.Positional
		if p.Flag != nil {
			v = p.Flag.Value
		}
		if v == nil || v.Tag.Has("empty") {
			continue
		}
		text, one := v.Target.Interface().(string)
		list, many := v.Target.Interface().([]string)
		if one && text == "" || many && (len(list) == 0 || slices.Contains(list, "")) {
			return usageIn(c, "%s is empty; give it a value, or leave it out where it may be", v.ShortSummary())
		}
	}
	return nil
}

// onCommandLine says whether a flag was given there, and not left to its default or the environment.
func onCommandLine(c *kong.Context, name string) bool {
	return slices.ContainsFunc(c.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == name })
}
