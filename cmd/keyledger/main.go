// Command keyledger runs a ledger of access keys and is its client.
//
// "keyledger serve" starts a server; every other command but recover, doctor
// and signature check asks a running one over its API, with requests signed by the
// access key in a credentials file.
//
// What it prints on standard output is the answer: a table for people, or with
// -o json the server's own JSON for programs. What went wrong goes to standard
// error, and the exit code says of which kind it was: exit.go has the table, and
// "keyledger --help" prints it.
//
// The limits: it decides nothing. It reads flags and files, asks, and prints.
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() { os.Exit(run(os.Args[1:], newTerminal())) }

// asksForJSON says whether a command line that could not be read asks for JSON all the same.
func asksForJSON(args []string) bool {
	words := strings.Join(args, " ") + " "
	for _, way := range []string{"-o json ", "-ojson ", "--output json ", "--output=json "} {
		if strings.Contains(" "+words, " "+way) {
			return true
		}
	}
	return false
}

// run carries out one command and returns the exit code.
func run(args []string, t *terminal) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var g grammar
	parser, err := newParser(&g, t)
	if err != nil {
		panic(err) // the grammar itself is wrong; every test would find it
	}
	command, err := parser.Parse(args)
	t.json = g.Output == "json" || err != nil && asksForJSON(args)
	if err != nil {
		return t.fail(usageOf(err))
	}
	if err := nothingEmpty(command); err != nil {
		return t.fail(err)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	return t.fail(command.Run())
}
