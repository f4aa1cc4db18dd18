package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/aws"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/node"
)

// A world is a ledger that runs, and what the tests have learnt of it.
type world struct {
	node     *node.Node
	root     client // the operator's root key
	operator string // the operator's account
	document *document
	log      text

	mu      sync.Mutex
	secrets []string // every secret that was given out
}

// the is shared: each test opens accounts of its own.
var the world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keyledger-api-")
	if err != nil {
		return failed(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := the.start(dir); err != nil {
		return failed(err)
	}
	code := m.Run()
	if err := the.node.Close(); err != nil {
		return failed(err)
	}
	if err := the.quiet(); err != nil {
		return failed(err)
	}
	return code
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// mute is a scheme that nobody signs by.
type mute struct{}

func (mute) Name() string                  { return "MUTE-HMAC-SHA256" }
func (mute) Names(*dialect.Request) string { return "" }

func (mute) Read(*dialect.Request, *dialect.Scratch) ([]dialect.Claim, error) {
	return nil, dialect.ErrUnsigned
}

func (w *world) start(dir string) error {
	n, err := node.Start(context.Background(), node.Config{
		Data: filepath.Join(dir, "data"), Listen: "127.0.0.1:0", ExtAuthzListen: "127.0.0.1:0", TrustedProxies: []string{"192.0.2.0/24"}, Version: "test", Schedule: 20 * time.Millisecond,
		Dialects: append(builtin.All(), dialect.Dialect{Name: "mute", Schemes: []dialect.Scheme{mute{}}}),
		Logger:   slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		return err
	}
	w.node = n
	w.root, w.operator, err = firstClient(n)
	if err != nil {
		return err
	}
	w.keep(w.root.secret)
	w.document, err = fetchDocument(n.URL())
	return err
}

// firstClient reads the credentials that a first start left.
func firstClient(n *node.Node) (c client, account string, err error) {
	content, err := os.ReadFile(n.FirstCredentials())
	if err != nil {
		return c, "", err
	}
	var first node.Credentials
	if err := json.Unmarshal(content, &first); err != nil {
		return c, "", err
	}
	return client{first.Endpoint, first.AccessKeyID, first.SecretAccessKey}, first.AccountID, nil
}

func (w *world) keep(secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.secrets = append(w.secrets, secret)
}

// leaks is whether text holds any secret that was ever given out.
func (w *world) leaks(text []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.secrets, func(s string) bool { return bytes.Contains(text, []byte(s)) })
}

// quiet holds, at the end of all tests, that the log names no secret and no
// fault of ours.
func (w *world) quiet() error {
	log := w.log.String()
	switch {
	case w.leaks([]byte(log)):
		return fmt.Errorf("the log holds a secret")
	case strings.Contains(log, "level=ERROR"):
		return fmt.Errorf("the log holds errors:\n%s", log)
	}
	return nil
}

// A text is a log that many write to.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// A client signs with one key.
type client struct{ url, id, secret string }

// An answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// A call is a request to make. Before runs before it is signed, after is
// what somebody on the way does to it.
type call struct {
	method, path, body string
	before, after      func(*http.Request)
	at                 time.Time // of signing; now if zero
	unsigned           bool
}

// direct follows no redirect: none would be signed.
var direct = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send makes a call and holds the exchange to the OpenAPI document.
func (c client) send(t testing.TB, k call) answer {
	t.Helper()
	req := c.request(t, k)
	res, err := direct.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", k.method, k.path, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, body}
	for _, problem := range the.document.check(k, a) {
		t.Errorf("%s %s: %d is not as documented: %s\n%s", k.method, k.path, a.status, problem, body)
	}
	return a
}

func (c client) request(t testing.TB, k call) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), k.method, c.url+k.path, strings.NewReader(k.body))
	if err != nil {
		t.Fatal(err)
	}
	if k.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if k.before != nil {
		k.before(req)
	}
	if k.at.IsZero() {
		k.at = time.Now()
	}
	if !k.unsigned {
		aws.Sign(req, []byte(k.body), c.id, c.secret, "keyledger", "local", k.at)
	}
	if k.after != nil {
		k.after(req)
	}
	return req
}

func (c client) do(t testing.TB, method, path, body string) answer {
	t.Helper()
	return c.send(t, call{method: method, path: path, body: body})
}

func (c client) get(t testing.TB, path string) answer {
	t.Helper()
	return c.do(t, http.MethodGet, path, "")
}

// named calls under an Idempotency-Key.
func (c client) named(t testing.TB, key, method, path, body string) answer {
	t.Helper()
	return c.send(t, call{method: method, path: path, body: body, before: header("Idempotency-Key", key)})
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = values }
}

// ok is the answer if its status is want.
func (a answer) ok(t testing.TB, want int) answer {
	t.Helper()
	if a.status != want {
		t.Fatalf("got %d, want %d: %s", a.status, want, a.body)
	}
	return a
}

func (a answer) position(t testing.TB) uint64 {
	t.Helper()
	p, err := strconv.ParseUint(a.header.Get("X-Keyledger-Position"), 10, 64)
	if err != nil {
		t.Fatalf("no position: %v", err)
	}
	return p
}

// problem is the code of a problem; empty if the answer is none.
func (a answer) problem() problem {
	var p problem
	if a.header.Get("Content-Type") == "application/problem+json" {
		_ = json.Unmarshal(a.body, &p)
	}
	return p
}

type problem struct {
	Type, Title  string
	Status       int
	Code, Detail string
	RequestID    string `json:"request_id"`
	Retryable    bool
}

// decode is the answer's body as a T.
func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var out T
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return out
}

type key struct {
	AccessKeyID     string  `json:"access_key_id"`
	SecretAccessKey *string `json:"secret_access_key"`
	AccountID       string  `json:"account_id"`
	UserID          string  `json:"user_id"`
	Status          string  `json:"status"`
	Description     string  `json:"description"`
	CreatedAt       string  `json:"created_at"`
	DeletedAt       string  `json:"deleted_at"`
	PurgeAt         string  `json:"purge_at"`
	PurgedAt        string  `json:"purged_at"`
	RestrictedAt    string  `json:"restricted_at"`
	Reason          string  `json:"restricted_reason"`
	FoundIn         string  `json:"found_in"`
	Warnings        []string
}

type gatewayToken struct {
	TokenID      string `json:"token_id"`
	Name         string
	AccountID    string `json:"account_id"`
	Installation bool
	Token        *string
	CreatedAt    string `json:"created_at"`
	RevokedAt    string `json:"revoked_at"`
}

type user struct {
	UserID string `json:"user_id"`
	Name   string
	Kind   string
	Role   string
	Grants []string
}

type page[T any] struct {
	Items      []T
	NextCursor string `json:"next_cursor"`
}

// An account is an account that a test has opened, and its root's client.
type account struct {
	id, root string
	client
}

// open opens an account; overrides is JSON or empty.
func open(t testing.TB, preset, overrides string) account {
	t.Helper()
	if overrides == "" {
		overrides = "null"
	}
	a := the.root.do(t, "POST", "/v1/accounts", fmt.Sprintf(`{"name":%q,"preset":%q,"overrides":%s}`, t.Name(), preset, overrides)).ok(t, 201)
	opened := decode[struct {
		AccountID       string `json:"account_id"`
		RootUserID      string `json:"root_user_id"`
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
	}](t, a)
	the.keep(opened.SecretAccessKey)
	return account{opened.AccountID, opened.RootUserID, client{the.root.url, opened.AccessKeyID, opened.SecretAccessKey}}
}

// add adds a user of a role.
func (c client) add(t testing.TB, name, role string) string {
	t.Helper()
	return decode[user](t, c.do(t, "POST", "/v1/users", fmt.Sprintf(`{"name":%q,"role":%q}`, name, role)).ok(t, 201)).UserID
}

// create makes a key for a user.
func (c client) create(t testing.TB, user string) client {
	t.Helper()
	k := decode[key](t, c.do(t, "POST", "/v1/users/"+user+"/keys", "").ok(t, 201))
	the.keep(*k.SecretAccessKey)
	return client{c.url, k.AccessKeyID, *k.SecretAccessKey}
}

// gateway makes a gateway token of the caller's account.
func (c client) gateway(t testing.TB, name string) gatewayToken {
	t.Helper()
	g := decode[gatewayToken](t, c.do(t, "POST", "/v1/gateway-tokens", fmt.Sprintf(`{"name":%q}`, name)).ok(t, 201))
	the.keep(*g.Token)
	return g
}

// in makes a key for a user and brings it to a status.
func (c client) in(t testing.TB, user, status string) client {
	t.Helper()
	k := c.create(t, user)
	if status == "disabled" || status == "deleted" || status == "purged" {
		c.do(t, "PATCH", "/v1/keys/"+k.id, `{"status":"disabled"}`).ok(t, 200)
	}
	if status == "deleted" || status == "purged" {
		c.do(t, "DELETE", "/v1/keys/"+k.id, "").ok(t, 200)
	}
	if status == "purged" {
		c.do(t, "POST", "/v1/keys/"+k.id+"/purge", "").ok(t, 200)
	}
	return k
}

// unique is a name that no other test uses.
func unique(prefix string) string { return prefix + "-" + strings.ToLower(rand.Text()) }
