// Package extauthz is the ledger's face towards Envoy: the gRPC service
// envoy.service.auth.v3.Authorization, by which Envoy asks whether a request that it
// holds may go on.
//
// The way in is [New], then [Server.Serve] and [Server.Shutdown]. Whoever asks shows a
// gateway token in the metadata "authorization: Bearer klgw_..."; a call without one is
// refused before its message is read.
//
// The limits: what is decided, recorded and told is api.ForwardAuth's, as for every other
// proxy; here is only what Envoy calls things. Where nothing can be decided the call
// fails, so that Envoy refuses the request (failure_mode_allow: false, its default).
package extauthz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/api"
	"github.com/keyledger/keyledger/services/clientip"
)

// maxMessage bounds what Envoy sends about one request, in bytes: 1 MiB of body
// (max_request_bytes) and what Envoy allows for headers. A longer message is refused, and
// so is the request that it is about.
const maxMessage = 1<<20 + 128<<10

// Bounds of one connection, so that no caller holds more than it needs.
const (
	maxStreams    = 256      // calls at a time; Envoy waits with more
	maxHeaderList = 16 << 10 // bytes of metadata
	greeting      = 10 * time.Second
	maxIdle       = 5 * time.Minute
	pingAfter     = time.Minute
	pingPatience  = 20 * time.Second
	pingsEvery    = 10 * time.Second
)

// Config is what a Server stands on. All fields but Proxies and Observe are required.
type Config struct {
	Forward *api.ForwardAuth
	Proxies clientip.Proxies
	Draw    interface {
		RequestID() (events.RequestID, error)
	}
	Logger *slog.Logger
	// Observe is told of every call that was answered: its gRPC status and, if that is OK,
	// the HTTP status that Envoy was told. Nothing if it is nil.
	Observe func(code string, status int, took time.Duration)
}

// A Server answers Envoy.
type Server struct {
	grpc *grpc.Server
	live context.Context // of every connection
	cut  context.CancelFunc
}

// New makes a Server.
func New(c Config) *Server {
	a := &authorization{Config: c}
	s := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxStreams), grpc.MaxHeaderListSize(maxHeaderList),
		grpc.ConnectionTimeout(greeting),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: maxIdle, Time: pingAfter, Timeout: pingPatience}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsEvery, PermitWithoutStream: true}),
		grpc.InTapHandle(a.admit), grpc.UnaryInterceptor(a.recovering), grpc.WaitForHandlers(true),
	)
	auth.RegisterAuthorizationServer(s, a)
	live, cut := context.WithCancel(context.Background())
	return &Server{s, live, cut}
}

// Serve answers until Shutdown. It closes l.
func (s *Server) Serve(l net.Listener) error {
	if err := s.grpc.Serve(listener{l, s.live}); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Shutdown takes no more calls and lets those under way come to their end; when
// ctx ends first, it cuts them off. When it returns no call is under way.
func (s *Server) Shutdown(ctx context.Context) {
	defer s.cut()
	patient := context.AfterFunc(ctx, func() { s.cut(); s.grpc.Stop() })
	s.grpc.GracefulStop()
	if !patient() {
		s.grpc.Stop() // waits for the calls that were cut off
	}
}

// A listener closes its connections when live ends: gRPC by itself would wait for one
// that has not sent its greeting to the end.
type listener struct {
	net.Listener
	live context.Context
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return connection{c, context.AfterFunc(l.live, func() { _ = c.Close() })}, nil
}

type connection struct {
	net.Conn
	forget func() bool
}

func (c connection) Close() error {
	c.forget()
	return c.Conn.Close()
}

// authorization is the service.
type authorization struct {
	Config
	auth.UnimplementedAuthorizationServer
}

// A caller is a gateway that asks, and what its call is named.
type caller struct {
	gateway api.GatewayToken
	id      events.RequestID
}

type callerKey struct{}

// admit finds out who calls before anything of the message is read: a stranger
// cannot fill memory with messages that nobody will look at.
func (a *authorization) admit(ctx context.Context, call *tap.Info) (_ context.Context, err error) {
	defer a.recovered(&err)
	began := time.Now()
	defer func() {
		if err != nil {
			a.observe(nil, err, began)
		}
	}()
	id, err := a.Draw.RequestID()
	if err != nil {
		a.Logger.Error("no randomness for a request ID", "error", err)
		return nil, status.Error(codes.Internal, "something went wrong on our side; it has been logged")
	}
	g, p := a.Forward.Gateway(ctx, id, call.Header.Get("authorization"))
	if p != nil {
		return nil, failed(p)
	}
	return context.WithValue(ctx, callerKey{}, caller{g, id}), nil
}

// recovering answers for a call that panics, and keeps the process alive.
func (a *authorization) recovering(ctx context.Context, in any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	began := time.Now()
	defer func() { a.observe(out, err, began) }()
	defer a.recovered(&err)
	return next(ctx, in)
}

// Outcomes are what Observe is told, as far as that is known before anybody calls: the HTTP statuses of each gRPC
// status; 0 where that is not OK.
func Outcomes() map[string][]int {
	out := map[string][]int{codes.OK.String(): {http.StatusNoContent, http.StatusUnauthorized, http.StatusForbidden, statusTooLarge}}
	for _, code := range []codes.Code{
		codes.Unauthenticated, codes.PermissionDenied, codes.InvalidArgument, codes.Unavailable, codes.Internal, codes.Canceled, codes.DeadlineExceeded,
	} {
		out[code.String()] = []int{0}
	}
	return out
}

// observe tells of a call that is being answered.
func (a *authorization) observe(out any, err error, began time.Time) {
	if a.Observe == nil {
		return
	}
	told := 0
	if answer, ok := out.(*auth.CheckResponse); ok && err == nil {
		told = http.StatusNoContent
		if denied := answer.GetDeniedResponse(); denied != nil {
			told = int(denied.GetStatus().GetCode())
		}
	}
	a.Observe(status.Code(err).String(), told, time.Since(began))
}

func (a *authorization) recovered(err *error) {
	if what := recover(); what != nil {
		a.Logger.Error("a call of a gateway panicked", "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
		*err = status.Error(codes.Internal, "something went wrong on our side; it has been logged")
	}
}

// Check says whether the request that Envoy describes may go on.
func (a *authorization) Check(ctx context.Context, in *auth.CheckRequest) (*auth.CheckResponse, error) {
	who, known := ctx.Value(callerKey{}).(caller)
	if !known {
		return nil, status.Error(codes.Unauthenticated, "the call carries no gateway token")
	}
	r, err := read(in)
	if err != nil {
		return nil, err
	}
	if r.partial() {
		return r.answered(api.Refusal(statusTooLarge, reasonPartial), who.id), nil
	}
	h := r.held(a.Proxies)
	h.ID = who.id
	answer, p := a.Forward.Decide(ctx, who.gateway, h)
	switch {
	case p == nil:
		return r.answered(answer, who.id), nil
	case ctx.Err() != nil:
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	return nil, failed(p)
}

// failed is a problem as gRPC has it. What may succeed later is UNAVAILABLE.
func failed(p *api.Problem) error {
	code := codes.Internal
	switch {
	case p.Retryable:
		code = codes.Unavailable
	case p.Status == http.StatusUnauthorized:
		code = codes.Unauthenticated
	case p.Status == http.StatusForbidden:
		code = codes.PermissionDenied
	case p.Status/100 == 4:
		code = codes.InvalidArgument
	}
	return status.Error(code, p.Error())
}
