package extauthz_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/extauthz"
	"github.com/keyledger/keyledger/services/verify"
)

const token = "klgw_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St3ljC22"

// anybody is a register in which every token is a gateway's.
type anybody struct{ api.Queries }

func (anybody) Gateway(string) (api.GatewayToken, bool, error) { return api.GatewayToken{}, true, nil }

// A scheme does something to whoever reads by it.
type scheme func() error

func (scheme) Name() string                  { return "TEST-HMAC-SHA256" }
func (scheme) Names(*dialect.Request) string { return "" }

func (s scheme) Read(*dialect.Request, *dialect.Scratch) ([]dialect.Claim, error) {
	return nil, s()
}

type draw struct{}

func (draw) RequestID() (events.RequestID, error) { return "r", nil }

// serve starts a server whose requests are read by a scheme.
func serve(t *testing.T, s scheme, log *bytes.Buffer) (*extauthz.Server, auth.AuthorizationClient) {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(log, nil))
	verifier := &verify.Verifier{Config: verify.Config{
		Fresh: func(context.Context) error { return nil }, Schemes: []dialect.Scheme{s}, Applied: func() events.Position { return 1 },
	}}
	server := extauthz.New(extauthz.Config{
		Forward: api.NewForwardAuth(api.Config{Queries: anybody{}, Verifier: verifier, Now: time.Now, Logger: logger}), Draw: draw{}, Logger: logger,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Shutdown(t.Context())
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	c, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return server, auth.NewAuthorizationClient(c)
}

func check(ctx context.Context, c auth.AuthorizationClient) (*auth.CheckResponse, error) {
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), 20*time.Second)
	defer cancel()
	return c.Check(ctx, &auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{
		Http: &auth.AttributeContext_HttpRequest{Method: "GET", Path: "/", Host: "example.com"},
	}}})
}

// TestPanic: a call that panics fails, is logged, and the next one is served.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	var panicked atomic.Bool
	server, c := serve(t, func() error {
		if !panicked.Swap(true) {
			panic("out of order")
		}
		return dialect.ErrUnsigned
	}, &log)
	if _, err := check(t.Context(), c); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "out of order") {
		t.Errorf("got %v", err)
	}
	if out, err := check(t.Context(), c); err != nil || out.GetDeniedResponse().GetStatus().GetCode() != 401 {
		t.Errorf("afterwards: got %v, %v", out, err)
	}
	server.Shutdown(t.Context())
	if !strings.Contains(log.String(), "out of order") || strings.Contains(log.String(), token) {
		t.Errorf("logged: %s", &log)
	}
}

// TestShutdown: a call under way comes to its end unless patience does; then it is cut
// off, and no call is under way when Shutdown returns.
func TestShutdown(t *testing.T) {
	for name, impatient := range map[string]bool{"patient": false, "impatient": true} {
		t.Run(name, func(t *testing.T) {
			begun, goOn := make(chan struct{}), make(chan struct{})
			ended := false
			server, c := serve(t, func() error {
				close(begun)
				<-goOn
				ended = true
				return dialect.ErrUnsigned
			}, &bytes.Buffer{})
			answered := make(chan error, 1)
			go func() {
				_, err := check(t.Context(), c)
				answered <- err
			}()
			<-begun
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			down := make(chan struct{})
			go func() {
				server.Shutdown(ctx)
				close(down)
			}()
			if impatient {
				cancel()
				if err := <-answered; status.Code(err) != codes.Unavailable {
					t.Errorf("cut off: got %v", err)
				}
				select {
				case <-down:
					t.Error("Shutdown did not wait for the call that was cut off")
				case <-time.After(100 * time.Millisecond): // it cannot be seen to wait otherwise
				}
			}
			close(goOn)
			<-down
			if !ended {
				t.Error("a call was under way after Shutdown")
			}
			if !impatient {
				if err := <-answered; err != nil {
					t.Errorf("the call under way: got %v", err)
				}
			}
		})
	}
}
