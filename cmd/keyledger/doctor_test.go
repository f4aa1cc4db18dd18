package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestDoctorOfAServer fails where a server says that something is not well, though it serves.
func TestDoctorOfAServer(t *testing.T) {
	for body, want := range map[string]string{
		`{"ready":true,"whole":true,"projections":[{"name":"audit"}],"records":{"position":1}}`: "",
		`{"ready":true,"whole":false}`: "server.log_damaged",
		`{"ready":true,"whole":true,"projections":[{"name":"audit","degraded":"stopped at position 7: x"}]}`: "server.projection_stopped: audit: stopped at position 7: x",
		`{"ready":true,"whole":true,"records":{"stopped":"the tables are damaged"}}`:                         "server.projection_stopped: records: the tables are damaged",
	} {
		client, _ := against(t, answers(http.StatusOK, body))
		c := connection{Endpoint: client.endpoint, Timeout: time.Second}
		err := c.examine(t.Context(), &terminal{out: &bytes.Buffer{}, err: &bytes.Buffer{}})
		got := ""
		if err != nil {
			got = failureOf(err).Code
		}
		code, detail, _ := strings.Cut(want, ": ")
		if got != code || err != nil && (exitFor(err) != exitNotStarted || !strings.HasSuffix(failureOf(err).Detail, detail)) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}
