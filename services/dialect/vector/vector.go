// Package vector reads files of captured requests and judges them: were they
// signed with the secret they name, at the time they name?
//
// The way in: [Load], then [Judge] for one entry or [Report] for a whole file.
//
// Limits: nothing is remembered between entries, so a replay is not noticed,
// and the files hold secrets in the clear: they are for tests and for finding
// out why a client is refused, not for keys in use.
package vector

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// A Vector is one captured request with the verdict it deserves.
type Vector struct {
	Name          string     `json:"name"`
	SDK           string     `json:"sdk"`    // who signed it, with version
	Scheme        string     `json:"scheme"` // what it speaks
	AccessKeyID   string     `json:"access_key_id"`
	Secret        string     `json:"secret"`
	Method        string     `json:"method"`
	URL           string     `json:"url"`            // for people; RequestTarget is judged
	RequestTarget string     `json:"request_target"` // as in the request line
	Host          string     `json:"host"`
	Headers       [][]string `json:"headers"`     // name and value, in order
	Body          []byte     `json:"body_base64"` // after transfer decoding
	SignedAt      int64      `json:"signed_at"`   // unix seconds
	VerifyAt      int64      `json:"verify_at"`   // unix seconds at which Valid is true or false
	Valid         bool       `json:"valid"`
	Reason        string     `json:"reason,omitempty"`       // why it is not valid, in words
	Note          string     `json:"note,omitempty"`         // why it is valid all the same
	DerivedFrom   string     `json:"derived_from,omitempty"` // the entry it was made from
	TLS           bool       `json:"tls,omitempty"`
	BaseHost      string     `json:"base_host,omitempty"` // which part of Host is the service

	// What the client says that it hashed and signed, if somebody has asked it.
	ClientCanonicalRequest string `json:"client_canonical_request,omitempty"`
	ClientStringToSign     string `json:"client_string_to_sign,omitempty"`
}

// Load reads a JSON array of vectors. Fields it does not know are passed over.
// It returns an error if there is none, or that names the entry if one cannot be judged.
func Load(r io.Reader) ([]Vector, error) {
	var vectors []Vector
	d := json.NewDecoder(r)
	if err := d.Decode(&vectors); err != nil {
		return nil, fmt.Errorf("vectors: want a JSON array of requests: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("vectors: want one JSON array of requests, and nothing behind it")
	}
	if len(vectors) == 0 {
		return nil, errors.New("vectors: want an array of at least one request: there is none in it")
	}
	for i, v := range vectors {
		if err := v.complete(); err != nil {
			return nil, fmt.Errorf("vectors: entry %d (%s): %w", i, v.Name, err)
		}
	}
	return vectors, nil
}

func (v Vector) complete() error {
	switch {
	case v.Name == "":
		return fmt.Errorf("it has no name")
	case v.Method == "" || v.RequestTarget == "":
		return fmt.Errorf("it needs method and request_target")
	case v.VerifyAt == 0:
		return fmt.Errorf("it needs verify_at, the unix time to judge it at")
	}
	for _, h := range v.Headers {
		if len(h) != 2 {
			return fmt.Errorf("each header is a pair of name and value")
		}
	}
	return nil
}

// Request returns the request of v as a server would have received it.
func (v Vector) Request() *dialect.Request {
	r := &dialect.Request{Method: v.Method, Target: v.RequestTarget, Host: v.Host, BaseHost: v.BaseHost, Body: v.Body}
	hosted := false
	for _, h := range v.Headers {
		if len(h) != 2 {
			continue
		}
		hosted = hosted || strings.EqualFold(h[0], "host")
		r.Header = append(r.Header, dialect.Field{Name: h[0], Value: h[1]})
	}
	if !hosted {
		r.Header = append(r.Header, dialect.Field{Name: "Host", Value: v.Host})
	}
	return r
}

// At is the time at which v is judged.
func (v Vector) At() time.Time { return time.Unix(v.VerifyAt, 0).UTC() }
