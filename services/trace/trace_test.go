package trace_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/trace"
)

// TestWarnings tells a wrong environment from spans that could not be delivered.
func TestWarnings(t *testing.T) {
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	for _, c := range []struct{ sampler, argument, want string }{
		{"bogus", "", `(OTEL_...) will not do; its default is taken" error="unsupported sampler: bogus"`},
		{"traceidratio", "2", `(OTEL_...) will not do; its default is taken" error="invalid trace ID ratio: greater than 1.0"`},
		{"always_off", "", ""},
	} {
		t.Setenv("OTEL_TRACES_SAMPLER", c.sampler)
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.argument)
		var out bytes.Buffer
		tracer, err := trace.New(t.Context(), nobody.URL, "test", slog.New(slog.NewTextHandler(&out, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.Contains(got, c.want) || c.want == "" && got != "" || strings.Contains(got, "spans were not delivered") {
			t.Errorf("%s %s: it says %q, want %q", c.sampler, c.argument, got, c.want)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = tracer.Close(ended)
	}
}

// TestEndpoint refuses what no server can be behind.
func TestEndpoint(t *testing.T) {
	for endpoint, good := range map[string]bool{
		"http://localhost:4318": true, "https://otlp.example": true, "http://[::1]:65535/v1/traces": true,
		"http://x:99999": false, "http://x:65536": false, "http://x:0": false, "http://x:": false, "http://x:http": false, "http://:4318": false, "x:4318": false, "http://me:hunter2@x": false,
	} {
		err := trace.Endpoint(endpoint)
		if (err == nil) != good || err != nil && (!strings.Contains(err.Error(), "such as http://localhost:4318") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: got %v", endpoint, err)
		}
	}
}

// TestSeldom has a receiver that is away be told of once in a while, not with every batch of spans.
func TestSeldom(t *testing.T) {
	told := 0
	for every, want := range map[time.Duration]int{0: 3, time.Hour: 1} {
		told = 0
		handle := trace.Seldom(every, func(error) { told++ })
		for range 3 {
			handle(errors.New("away"))
		}
		if told != want {
			t.Errorf("every %v: told %d times of 3, want %d", every, told, want)
		}
	}
}
