// Package trace tells OpenTelemetry what a request did and how long each step took. It is
// off unless an operator names where spans go.
//
// The way in is [New]; [Tracer.Request] begins the span of a request, under the one that the caller's
// traceparent header names (W3C Trace Context), and [Tracer.Step] tells of a step within.
//
// The limits: a span holds the operation, never the path, the query or a header, so that
// no key, user or signature leaves with it. Spans that cannot be delivered are dropped.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// A Tracer makes spans and sends them.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   oteltrace.Tracer
}

// New sends spans to an OTLP endpoint over HTTP, such as http://localhost:4318. How many are
// sampled is said by OTEL_TRACES_SAMPLER, as everywhere; all are if nothing is said.
func New(ctx context.Context, endpoint, version string, log *slog.Logger) (*Tracer, error) {
	u, err := parse(endpoint)
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()))
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	warn := func(what string, every time.Duration) {
		otel.SetErrorHandler(seldom(every, func(err error) { log.Warn(what, "error", err) }))
	}
	warn("a variable of the environment that says how to trace (OTEL_...) will not do; its default is taken", 0)
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "keyledger"), attribute.String("service.version", version),
	)))
	warn("spans were not delivered", undeliveredEvery)
	return &Tracer{provider, provider.Tracer("github.com/keyledger/keyledger")}, nil
}

// undeliveredEvery is how often at most it is said that spans were not delivered: a busy server fails to many times a second.
const undeliveredEvery = 10 * time.Second

// seldom tells of an error once in a while, and of none in between.
func seldom(every time.Duration, tell func(error)) otel.ErrorHandlerFunc {
	var mu sync.Mutex
	var said time.Time
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if !said.IsZero() && time.Since(said) < every {
			return
		}
		said = time.Now()
		tell(err)
	}
}

// Endpoint says what is wrong with an endpoint; nil if nothing is.
func Endpoint(text string) error {
	_, err := parse(text)
	return err
}

func parse(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		// What was given may hold a password, and is not repeated.
		return nil, errors.New("trace: that is not an OTLP endpoint: give a URL without user and password, such as http://localhost:4318")
	}
	if badPort(u.Host) {
		return nil, errors.New("trace: that is not an OTLP endpoint: its port is none; want 1 to 65535, such as http://localhost:4318")
	}
	return u, nil
}

// badPort is whether a host names a port that is none.
func badPort(host string) bool {
	_, text, named := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
	port, err := strconv.ParseUint(text, 10, 16)
	return named && (err != nil || port == 0)
}

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// Request begins the span of a request; end ends it.
func (t *Tracer) Request(r *http.Request) (ctx context.Context, end func(operation string, status int)) {
	ctx = propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, method(r.Method), oteltrace.WithSpanKind(oteltrace.SpanKindServer))
	return ctx, func(operation string, status int) {
		span.SetName(method(r.Method) + " " + operation)
		span.SetAttributes(
			attribute.String("http.request.method", method(r.Method)), attribute.Int("http.response.status_code", status),
			attribute.String("keyledger.operation", operation),
		)
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// method is a request's method as the semantic conventions have it: what is none is
// not the client's to choose.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return m
	}
	return "_OTHER"
}

// Step tells of a step of the request that ctx is of; it began some time ago and has ended
// just now. The result is one of a closed set. What is done for no one request has no span.
func (t *Tracer) Step(ctx context.Context, name, result string, took time.Duration) {
	if !oteltrace.SpanContextFromContext(ctx).IsValid() {
		return
	}
	now := time.Now()
	_, span := t.tracer.Start(ctx, name, oteltrace.WithTimestamp(now.Add(-took)))
	span.SetAttributes(attribute.String("keyledger.result", result))
	span.End(oteltrace.WithTimestamp(now))
}
