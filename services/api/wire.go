package api

import (
	"encoding/base64"
	"encoding/hex"
	"net/netip"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// wire is the request as a scheme reads it. It is one that can come off a wire: what no HTTP message holds could
// make a text to sign that stands for another request.
func (in *signedRequest) wire() (*dialect.Request, error) {
	if err := in.sendable(); err != nil {
		return nil, err
	}
	r := &dialect.Request{Method: in.Method, Target: in.Target, Host: in.Host, BaseHost: in.BaseHost}
	r.Header = append(make([]dialect.Field, 0, 1+len(in.Headers)), dialect.Field{Name: "Host", Value: in.Host})
	for _, h := range in.Headers {
		if !strings.EqualFold(h.Name, "Host") {
			r.Header = append(r.Header, dialect.Field{Name: h.Name, Value: h.Value})
		}
	}
	if err := in.body(r); err != nil {
		return nil, err
	}
	var source netip.Addr
	if in.SourceIP != "" {
		var err error
		if source, err = netip.ParseAddr(in.SourceIP); err != nil || source.Zone() != "" {
			return nil, invalidBody("source_ip is not an IPv4 or IPv6 address")
		}
	}
	r.Source = source.Unmap()
	return r, nil
}

// sendable refuses what HTTP cannot carry (RFC 9110 sections 5.1, 5.5, 7.2 and 9.1, RFC 9112 section 3.2).
func (in *signedRequest) sendable() error {
	switch {
	case !token(in.Method):
		return invalidBody("method is not a method, such as GET")
	case in.Target[0] != '/' || !visible(in.Target):
		return invalidBody("target is not path and query as they were sent: want it to begin with a slash and to have no space and no control character; of a target in absolute form, what stands behind the host")
	case !visible(in.Host) || strings.ContainsAny(in.Host, "@/?#"):
		return invalidBody("host is not the Host header: want a name or an address, and perhaps a port")
	}
	for i := range in.Headers {
		h := &in.Headers[i]
		if !token(h.Name) {
			return invalidBody("headers holds a line whose name is no header name, such as Content-Type")
		}
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			return invalidBody("headers holds a line whose value has a line end or NUL: give each line of a header for itself")
		}
		if strings.EqualFold(h.Name, "Host") && strings.Trim(h.Value, " \t") != in.Host {
			return invalidBody("headers holds a Host line other than host: leave it out, and give as host what the client sent")
		}
	}
	return nil
}

// token says whether s is a token (RFC 9110 section 5.6.2).
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if letter := c|0x20 >= 'a' && c|0x20 <= 'z'; !letter && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// visible says whether s has neither spaces nor control characters of ASCII.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// body gives r its body, or its sum.
func (in *signedRequest) body(r *dialect.Request) (err error) {
	if in.BodyBase64 != nil && in.BodySHA256 != nil {
		return invalidBody("give body_base64 or body_sha256, not both")
	}
	if text := in.BodyBase64; text != nil {
		if r.Body, err = base64.StdEncoding.Strict().DecodeString(*text); err != nil || strings.ContainsAny(*text, "\r\n") { // the library passes over them
			return invalidBody("body_base64 is not base64 (RFC 4648 section 4, padded, without line ends)")
		}
	}
	if text := in.BodySHA256; text != nil {
		r.BodySum = new([32]byte)
		if n, err := hex.Decode(r.BodySum[:], []byte((*text)[:min(64, len(*text))])); err != nil || n != 32 || len(*text) != 64 {
			return invalidBody("body_sha256 is not 64 hexadecimal digits; leave it out if there is no body")
		}
	}
	return nil
}
