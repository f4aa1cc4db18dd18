package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Sign signs req, which is about to be sent with that body, by an
// Authorization header. It sets Authorization, X-Amz-Date and
// X-Amz-Content-Sha256 and may be called again on the same request.
//
// Signed are the host, Content-Type, Idempotency-Key, every x-amz- and every
// x-keyledger- header that is there, and the body; a header of those that is
// set later breaks the signature.
func Sign(req *http.Request, body []byte, accessKeyID, secret, service, region string, now time.Time) {
	stamp := now.UTC().Format(stampLayout)
	sum := sha256.Sum256(body)
	req.Header.Set("X-Amz-Date", stamp)
	req.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))

	r := outgoing(req)
	a := assertion{stamp: stamp, payload: payload{sum: sum}, names: namesToSign(r)}
	a.nameList = strings.Join(a.names, ";")
	a.credential = credential{accessKeyID: accessKeyID, day: stamp[:8], region: region, service: service}
	a.scope = a.day + "/" + region + "/" + service + "/" + terminator
	// net/url writes no broken escapes, so neither error can happen; if one
	// did, the server would refuse what is signed here.
	a.query, _ = parseQuery(r.Query())
	canonical, _ := a.appendCanonical(nil, r, appendQuery)

	signature := mac(a.credential, []byte(secret), a.appendStringToSign(nil, canonical))
	req.Header.Set("Authorization", algorithm+" Credential="+accessKeyID+"/"+a.scope+
		", SignedHeaders="+a.nameList+", Signature="+hex.EncodeToString(signature))
}

// outgoing is req as net/http will write it.
func outgoing(req *http.Request) *dialect.Request {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	fields := []dialect.Field{{Name: "Host", Value: host}}
	for name, values := range req.Header {
		for _, v := range values {
			fields = append(fields, dialect.Field{Name: name, Value: v})
		}
	}
	return &dialect.Request{Method: method, Target: req.URL.RequestURI(), Host: host, Header: fields}
}

func namesToSign(r *dialect.Request) []string {
	var names []string
	for _, f := range r.Header {
		name := strings.ToLower(f.Name)
		if toSign(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func toSign(name string) bool {
	switch name {
	case "host", "content-type", "idempotency-key":
		return true
	}
	return strings.HasPrefix(name, "x-amz-") || strings.HasPrefix(name, "x-keyledger-")
}
