package dialect

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// A Field is one header line.
type Field struct{ Name, Value string }

// Named reports whether the line has that name, whatever its case. Lengths are compared first, and
// names as they are: it is asked for every line.
func (f *Field) Named(name string) bool {
	return len(f.Name) == len(name) && (f.Name == name || strings.EqualFold(f.Name, name))
}

// A Request is a request as it came off the wire. It is read only.
type Request struct {
	Method string
	Target string // the request target, undecoded: "/a%20b?c=d"
	Host   string // the value of the Host header; Header holds it too
	// BaseHost is the part of Host that names the service, where what stands before it may name
	// a bucket; "" if that is not known.
	BaseHost string
	Header   []Field // every header line; lines of one name are in their order
	Body     []byte  // after transfer decoding, before content decoding
	// BodySum is the SHA-256 of a body that is not at hand; Body is empty then.
	// Whoever sets it says that he has seen a body with that sum.
	BodySum *[sha256.Size]byte
	// Source is where the request came from, as whoever made the Request knows it; the zero
	// Addr if he does not. It is no part of what is signed.
	Source netip.Addr
}

// SHA256 is the SHA-256 of the body.
func (r *Request) SHA256() [sha256.Size]byte {
	if r.BodySum != nil {
		return *r.BodySum
	}
	return sha256.Sum256(r.Body)
}

// FromHTTP returns r as it came off the wire, given its whole body. r must be
// a request that a server received: the target is r.RequestURI.
//
// What net/http moves out of the header map is put back: Host, Content-Length
// and Transfer-Encoding. Two things are lost for good, and no known signer
// depends on them: the order of lines with different names, and a Trailer
// header. The source is for the caller to say: only he knows which proxies to believe.
func FromHTTP(r *http.Request, body []byte) *Request {
	fields := make([]Field, 0, len(r.Header)+3)
	fields = append(fields, Field{"Host", r.Host})
	for name, values := range r.Header {
		if name == "Host" {
			continue // HTTP/2 can leave one behind; r.Host is what is routed by
		}
		for _, v := range values {
			fields = append(fields, Field{name, v})
		}
	}
	if r.ContentLength > 0 && r.Header["Content-Length"] == nil {
		fields = append(fields, Field{"Content-Length", strconv.FormatInt(r.ContentLength, 10)})
	}
	if len(r.TransferEncoding) > 0 {
		fields = append(fields, Field{"Transfer-Encoding", strings.Join(r.TransferEncoding, ", ")})
	}
	return &Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: fields, Body: body}
}

// Values returns the values of every header line of that name, whatever its
// case, in order.
func (r *Request) Values(name string) []string {
	var values []string
	for i := range r.Header {
		if f := &r.Header[i]; f.Named(name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Get returns the value of the first header line of that name, or "".
func (r *Request) Get(name string) string {
	for i := range r.Header {
		if f := &r.Header[i]; f.Named(name) {
			return f.Value
		}
	}
	return ""
}

// Path returns the target up to its first question mark, undecoded.
func (r *Request) Path() string {
	path, _, _ := Cut(r.Target, '?')
	return path
}

// Query returns the target after its first question mark, undecoded, or "".
func (r *Request) Query() string {
	_, query, _ := Cut(r.Target, '?')
	return query
}

// Native reports whether r is for the product's own surfaces, the native API and the console: they are nobody
// else's, whoever signs.
func (r *Request) Native() bool {
	for _, own := range [...]string{"/v1", "/console"} {
		if rest, ok := strings.CutPrefix(r.Path(), own); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	return false
}
