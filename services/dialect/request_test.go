package dialect_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
)

// received sends raw over a connection to a real server and returns the
// request as FromHTTP sees it.
func received(t *testing.T, raw string) *dialect.Request {
	t.Helper()
	seen := make(chan *dialect.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		seen <- dialect.FromHTTP(r, body)
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
		t.Fatal(err)
	}
	return <-seen
}

func TestFromHTTPKeepsTheWire(t *testing.T) {
	r := received(t, "POST /a%2fb//../c?x=%7e&y HTTP/1.1\r\nHost: keys.example.test:8443\r\nContent-Length: 3\r\n"+
		"X-Two: one\r\nx-two:  two  \r\n\r\nabc")
	if r.Method != "POST" || r.Target != "/a%2fb//../c?x=%7e&y" || string(r.Body) != "abc" || r.Host != "keys.example.test:8443" {
		t.Errorf("got %+v", r)
	}
	if r.Path() != "/a%2fb//../c" || r.Query() != "x=%7e&y" {
		t.Errorf("got path %q, query %q", r.Path(), r.Query())
	}
	for name, want := range map[string][]string{
		"host": {"keys.example.test:8443"}, "CONTENT-LENGTH": {"3"}, "x-two": {"one", "two"}, "absent": nil, "transfer-encoding": nil,
	} {
		if got := r.Values(name); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if got := r.Get("X-TWO"); got != "one" {
		t.Errorf("got %q, want the first", got)
	}
}

func TestFromHTTPRestoresLengths(t *testing.T) {
	chunked := received(t, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	if got := chunked.Values("Transfer-Encoding"); !slices.Equal(got, []string{"chunked"}) || string(chunked.Body) != "abc" {
		t.Errorf("got %q, body %q", got, chunked.Body)
	}
	if got := chunked.Values("Content-Length"); got != nil {
		t.Errorf("a chunked request has got a length: %q", got)
	}
	empty := received(t, "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
	if got := empty.Values("Content-Length"); !slices.Equal(got, []string{"0"}) {
		t.Errorf("got %q, want the length that was sent", got)
	}
	plain := received(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if got := plain.Values("Content-Length"); got != nil {
		t.Errorf("got %q, and none was sent", got)
	}
}

func TestFromHTTPTakesTheHostThatIsRoutedBy(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("abc"))
	r.Host = "routed.test"
	r.Header["Host"] = []string{"other.test"}
	got := dialect.FromHTTP(r, []byte("abc"))
	if hosts := got.Values("host"); !slices.Equal(hosts, []string{"routed.test"}) {
		t.Errorf("got %q", hosts)
	}
	if length := got.Get("content-length"); length != "3" {
		t.Errorf("got length %q", length)
	}
}
