package alibaba

import (
	"crypto/sha1" //nolint:gosec // it is what the vendor signs with; as HMAC it stands
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

const (
	rpc       = "ALIYUN-RPC-HMAC-SHA1"
	rpcMethod = "HMAC-SHA1" // the value of SignatureMethod
	rpcForm   = "application/x-www-form-urlencoded"
)

// RPC reads the signature of the vendor's RPC style, version 1.0, from parameters in the
// query or in a form. It covers the method and the parameters; not the path, the host, any
// header, or a body that is no form.
//
// https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism
type RPC struct{}

// Name returns "ALIYUN-RPC-HMAC-SHA1".
func (RPC) Name() string { return rpc }

// Parameters of the signature.
const (
	paramKeyID     = "AccessKeyId"
	paramSignature = "Signature"
	paramMethod    = "SignatureMethod"
	paramVersion   = "SignatureVersion"
	paramNonce     = "SignatureNonce"
	paramStamp     = "Timestamp"
	paramToken     = "SecurityToken"
	paramRegion    = "RegionId"
	paramAction    = "Action"
	paramAPI       = "Version"
)

// isRPC says whether the request carries this signature: other vendors' requests have
// SignatureVersion or AccessKeyId, and never both.
func isRPC(r *dialect.Request) bool {
	query := r.Query()
	if has(query, paramVersion) && has(query, paramKeyID) {
		return true
	}
	if len(r.Body) == 0 || !isForm(r) {
		return false
	}
	body := string(r.Body)
	return (has(body, paramVersion) || has(query, paramVersion)) && (has(body, paramKeyID) || has(query, paramKeyID))
}

// has says whether there is a parameter of that name.
func has(raw, name string) bool { _, there := dialect.Peek(raw, name); return there }

// isForm says whether the body is a form, by its type, with whatever parameters.
func isForm(r *dialect.Request) bool {
	kind := r.Get(headerType)
	return kind == rpcForm || kind != "" && typeOf(r) == rpcForm
}

// typeOf is the media type of the body in lower case.
func typeOf(r *dialect.Request) string {
	kind, _, _ := strings.Cut(r.Get(headerType), ";")
	return strings.ToLower(strings.TrimSpace(kind))
}

// Read returns one claim. Errors are as for [dialect.Scheme]; the codes are the Code
// constants of this package.
func (RPC) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	if !isRPC(r) {
		return nil, dialect.ErrUnsigned
	}
	if !strings.HasPrefix(r.Target, "/") {
		return nil, malformed(CodeTarget, "the request target must be a path that begins with a slash")
	}
	var room [32]dialect.Parameter
	pairs, err := appendPairs(room[:0], r.Query())
	form := isForm(r)
	if err == nil && form {
		pairs, err = appendPairs(pairs, string(r.Body))
	}
	if err == nil {
		err = sortPairs(pairs)
	}
	if err != nil {
		return nil, err
	}
	claims := s.Claims(1)
	c := &claims[0]
	c.Scheme, c.Skew, c.Covers = rpc, skew, dialect.Method|dialect.Query
	if form {
		c.Covers |= dialect.Body
	}
	var signature [sha1.Size]byte
	if err := readCommon(c, &signature, pairs); err != nil {
		return nil, err
	}
	sign(c, s, signature, r, pairs)
	return claims, nil
}

// Names reads AccessKeyId, of the query or the form.
func (RPC) Names(r *dialect.Request) string {
	id := dialect.KeyInText(r.Query(), paramKeyID)
	if isForm(r) {
		id = dialect.EitherKey(id, dialect.KeyInText(string(r.Body), paramKeyID))
	}
	return id
}

// readCommon reads the parameters that every request has.
func readCommon(c *dialect.Claim, sent *[sha1.Size]byte, pairs []dialect.Parameter) error {
	var method, version, stamp, signature string
	for i := range pairs {
		switch p := &pairs[i]; p.Name {
		case paramKeyID:
			c.AccessKeyID = p.Value()
		case paramSignature:
			signature = p.Raw
		case paramMethod:
			method = p.Value()
		case paramVersion:
			version = p.Value()
		case paramNonce:
			c.Nonce = p.Value()
		case paramStamp:
			stamp = p.Raw
		case paramToken:
			c.SessionToken = p.Value()
		case paramRegion:
			c.Region = p.Value()
		case paramAPI:
			c.Service = serviceOf(p.Value())
		}
	}
	switch {
	case version != "1.0":
		return malformed(CodeSignatureVersion, paramVersion+" must be 1.0")
	case method != rpcMethod:
		return malformed(CodeAlgorithm, paramMethod+" must be "+rpcMethod)
	case !goodNonce(c.AccessKeyID):
		return malformed(CodeCredential, paramKeyID+" must be an access key ID")
	case signature == "":
		return malformed(CodeMissingParameter, "the parameter "+paramSignature+" is missing")
	case stamp == "":
		return malformed(CodeMissingParameter, "the parameter "+paramStamp+" is missing")
	case c.Nonce == "":
		return malformed(CodeMissingParameter, "the parameter "+paramNonce+" is missing")
	case !goodNonce(c.Nonce):
		return malformed(CodeNonce, paramNonce+" must be 1 to 256 printable characters")
	}
	var room [64]byte // on the stack: more than either of them takes
	text, _ := dialect.AppendUnescaped(room[:0], stamp)
	var ok bool
	if c.SignedAt, ok = dialect.ParseStamp(dialect.ExtendedStamp, string(text)); !ok {
		return malformed(CodeDate, paramStamp+" must be a time in UTC as YYYY-MM-DDTHH:MM:SSZ")
	}
	text, _ = dialect.AppendUnescaped(room[:0], signature)
	if !dialect.DecodeBase64(sent[:], text) {
		return malformed(CodeSignature, paramSignature+" must be the base64 of 20 bytes")
	}
	return nil
}

// sign puts down what was sent, and what is signed: METHOD&%2F&, then the parameters but the signature,
// encoded, joined, and encoded once more.
func sign(c *dialect.Claim, s *dialect.Scratch, sent [sha1.Size]byte, r *dialect.Request, pairs []dialect.Parameter) {
	raw := len(r.Target) + len(r.Body)
	b := append(s.Bytes(raw+raw/4+64), sent[:]...) // an escape grows from three bytes to five
	b = append(b, r.Method...)
	b = append(b, "&%2F&"...)
	first := true
	for i := range pairs {
		p := &pairs[i]
		if p.Name == paramSignature {
			continue
		}
		if !first {
			b = append(b, "%26"...)
		}
		first = false
		b = append(p.AppendName(b, dialect.Twice), "%3D"...)
		b = p.AppendValue(b, dialect.Twice)
	}
	c.Signature = b[:len(sent):len(sent)]
	toSign := b[len(sent):]
	c.StringToSign, c.CanonicalRequest = toSign, toSign // there is no other step
	c.Sign = appendMAC
}

// appendMAC signs with the secret and an ampersand behind it.
func appendMAC(c *dialect.Claim, out, secret []byte) []byte {
	sum := dialect.HMACSHA1(append(append(make([]byte, 0, 64), secret...), '&'), c.StringToSign)
	return append(out, sum[:]...)
}
