package main

import (
	"fmt"
	"strings"
)

// An exitCode is what a script learns of a command.
type exitCode int

// The exit codes. They never change their meaning.
const (
	exitDone        exitCode = 0
	exitRefused     exitCode = 1
	exitUsage       exitCode = 2
	exitDenied      exitCode = 3
	exitNotFound    exitCode = 4
	exitUnknown     exitCode = 5
	exitUnreachable exitCode = 6
	exitDiffers     exitCode = 7
	exitNotStarted  exitCode = 8
	exitInterrupted exitCode = 130 // as of a program that SIGINT ended
)

// exits is THE TABLE of exit codes, as the help prints it.
var exits = []struct {
	code    exitCode
	meaning string
}{
	{exitDone, "done"},
	{exitRefused, "refused: a rule or the server said no, also to a value that only it can judge (a cursor, a type, a period), or something failed on this machine"},
	{exitUsage, "usage: a flag, an argument or a file named by one is wrong, as is found without the server; nothing was changed"},
	{exitDenied, "denied: the access key is not accepted, or its user may not do this"},
	{exitNotFound, "not found: there is no such account, user or key, or it is gone for ever"},
	{exitUnknown, "unknown: it may have been done or not; --request-id settles it"},
	{exitUnreachable, "unreachable: no server answers there, or it cannot serve now; nothing was done"},
	{exitDiffers, "differs: signature check came to another verdict than the file"},
	{exitNotStarted, "not started: serve, recover or doctor found something that is not whole or not safe"},
	{exitInterrupted, "interrupted by a signal before it was done; nothing was changed"},
}

// exitTable is the table as text.
func exitTable() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exits {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.meaning)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
