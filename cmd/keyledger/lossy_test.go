package main

import (
	"io"
	"net"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// lossyInScript is the command
//
//	lossy   $LOSSY is an endpoint behind which $ENDPOINT acts on requests, and
//	        whose answers are lost on their way back
func lossyInScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: lossy")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv("LOSSY", "http://"+listener.Addr().String())
	server := strings.TrimPrefix(ts.Getenv("ENDPOINT"), "http://")
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go lose(client, server)
		}
	}()
}

// lose passes on what the client sends and hangs up when the server begins to
// answer: it has acted then.
func lose(client net.Conn, server string) {
	defer func() { _ = client.Close() }()
	behind, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer func() { _ = behind.Close() }()
	go func() { _, _ = io.Copy(behind, client) }()
	_, _ = behind.Read(make([]byte, 1))
}
