package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// TestDeleteWarns says to a person what the rule means that would rather not have had it; programs have its name.
func TestDeleteWarns(t *testing.T) {
	const answer = `{"access_key_id":"KLAK1","status":"deleted","purge_at":"2026-12-22T12:00:00Z","warnings":["delete.min_idle","of.tomorrow"]}`
	for _, programs := range []bool{false, true} {
		client, _ := against(t, answers(http.StatusOK, answer))
		var out, told bytes.Buffer
		remove := keyDelete{change: change{target: target{Key: "KLAK1"}}, asking: asking{Yes: true}}
		if err := remove.Run(t.Context(), &terminal{out: &out, err: &told, json: programs}, client); err != nil {
			t.Fatal(err)
		}
		says := strings.Contains(told.String(), "warning: the key was used more recently than its account's policy wants before a delete: keyledger key last-used KLAK1 says when")
		if says == programs || !strings.Contains(out.String(), "delete.min_idle") || !strings.Contains(out.String(), "of.tomorrow") {
			t.Errorf("to programs %v: got %s and %s", programs, &out, &told)
		}
	}
}
