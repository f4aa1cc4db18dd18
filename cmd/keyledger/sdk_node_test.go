package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestSDKNode runs each vendor's SDK for Node: life.js of testdata/sdk/<preset>-node, whose packages make sdk has
// installed, in an account with that preset and some users.
func TestSDKNode(t *testing.T) {
	programs, err := filepath.Glob("testdata/sdk/*-node/life.js")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs (%v)", err)
	}
	w := newWorld(t, "node")
	for _, program := range programs {
		preset := strings.TrimSuffix(filepath.Base(filepath.Dir(program)), "-node")
		t.Run(preset, func(t *testing.T) {
			w := &world{t: t, binary: w.binary, dir: w.dir, server: w.server}
			root := w.open(preset)
			var users []string
			for i := range 8 {
				u := w.keyledger(preset+".json", "user", "create", "--name", fmt.Sprint("user-", i))
				users = append(users, u["user_id"].(string))
			}
			path, err := filepath.Abs(program)
			if err != nil {
				t.Fatal(err)
			}
			_, host, _ := strings.Cut(w.server.URL, "://")
			env := []string{"KEYLEDGER_URL=" + w.server.URL, "KEYLEDGER_HOST=" + host, "KEYLEDGER_USERS=" + strings.Join(users, ","),
				"KEYLEDGER_ACCESS_KEY_ID=" + root.id, "KEYLEDGER_SECRET_ACCESS_KEY=" + root.secret}
			if out, errs, code := w.run(env, "node", path); code != 0 {
				t.Errorf("node %s: exit code %d\n%s%s", program, code, out, errs)
			}
		})
	}
}
