package objectstore

import (
	"crypto/sha1"
	"strconv"
	"strings"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// V2 reads Signature Version 2, from the Authorization header or from a signed URL.
//
// It covers little: of the query only what names a part of a resource, and of the body
// only its Content-MD5, if there is one. The path is signed as it was sent. Of the host it covers the
// bucket's name; see [dialect.Request].BaseHost for what is done where it is not known which part
// of the host that is.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0010.html
type V2 struct {
	Scheme       string // the scheme's name: "AWS-V2-HMAC-SHA1"
	Word         string // of the Authorization header: "AWS"
	Prefix       string // of the headers that are signed, lower case: "x-amz-"
	KeyParameter string // that names the key in a signed URL: "AWSAccessKeyId"
	Service      string // what a signature of this kind is for: "s3"
}

// Name returns the scheme's name.
func (v V2) Name() string { return v.Scheme }

// skew is how far a clock may be off.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
// https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0115.html
const skew = 15 * time.Minute

// maxKeyID bounds an access key ID, in bytes.
const maxKeyID = 128

// Read returns one claim, or one for each part of the host that may be a bucket's name.
// Errors are as for [dialect.Scheme]; the codes are the Code constants of this package.
func (v V2) Read(r *dialect.Request, s *dialect.Scratch) ([]dialect.Claim, error) {
	authorization, authorizations := v.authorization(r)
	signed, byHeader := v.said(authorization)
	if !byHeader && !strings.Contains(r.Query(), "Signature") {
		return nil, dialect.ErrUnsigned
	}
	var params, part [8]dialect.Parameter // on the stack: this is the hot path
	q, err := appendQuery(params[:0], r.Query())
	byQuery := err == nil && q.signed(v.KeyParameter)
	switch {
	case !byHeader && !byQuery:
		return nil, dialect.ErrUnsigned
	case err != nil:
		return nil, err
	case byQuery && authorizations > 0:
		return nil, malformed(CodeTwoMethods, "the request carries both an Authorization header and a signature in its query; send one of them")
	case authorizations > 1:
		return nil, malformed(CodeTwoAuthorizations, "the request has more than one Authorization header; send one")
	case !strings.HasPrefix(r.Target, "/"):
		return nil, malformed(CodeTarget, "the request target must be a path that begins with a slash")
	}
	var own [6]ownHeader
	a, p := assertion{v2: v}, parts{query: q}
	if p.own, err = a.headers.read(r, s, v.Prefix, own[:0]); err != nil {
		return nil, err
	}
	if p.subresources, err = q.appendSubresources(part[:0], v.Prefix); err != nil {
		return nil, err
	}
	if err := a.read(r, q, byQuery, signed); err != nil {
		return nil, err
	}
	return a.claims(r, s, p), nil
}

// Names reads the key of the header, or of the signed URL.
func (v V2) Names(r *dialect.Request) string {
	return dialect.EitherKey(dialect.KeyBefore(r, v.Word), dialect.KeyInText(r.Query(), v.KeyParameter))
}

// said is what follows the vendor's word in an Authorization header; ok is false if that begins otherwise.
func (v *V2) said(authorization string) (text string, ok bool) {
	if text, ok = strings.CutPrefix(authorization, v.Word); ok {
		text, ok = strings.CutPrefix(text, " ")
	}
	return text, ok
}

// authorization is the first Authorization header of this word, else the first, and how many
// there are.
func (v *V2) authorization(r *dialect.Request) (value string, n int) {
	for i := range r.Header {
		f := &r.Header[i]
		if !f.Named("Authorization") {
			continue
		}
		text := strings.Trim(f.Value, " \t")
		if _, ours := v.said(text); ours || n == 0 {
			value = text
		}
		n++
	}
	return value, n
}

// An assertion is what the signer wrote down about its signature.
type assertion struct {
	v2          V2
	accessKeyID string
	signature   [sha1.Size]byte
	headers     headers
	dateLine    string // as it is signed
	at          time.Time
	presigned   bool
	lifetime    time.Duration
	bodySigned  bool
}

// parts are lists that lie on the stack of Read. They are handed on by value: were they a part of the assertion, the compiler
// would think that they outlive it.
type parts struct {
	query        query
	subresources query       // what is signed of the query
	own          []ownHeader // sorted, lines of one name joined
}

func (a *assertion) read(r *dialect.Request, q query, byQuery bool, authorization string) (err error) {
	if a.bodySigned, err = a.headers.digest(r); err != nil {
		return err
	}
	if byQuery {
		return a.readURL(q)
	}
	id, signature, ok := strings.Cut(authorization, ":")
	if !ok || id == "" || len(id) > maxKeyID {
		return malformed(CodeAuthorization, "Authorization must be "+a.v2.Word+" KEY:SIGNATURE, and the key no longer than 128 characters")
	}
	a.accessKeyID = id
	if err := a.readSignature([]byte(signature)); err != nil {
		return err
	}
	a.dateLine, a.at, err = a.headers.date()
	return err
}

// readURL reads the query of a signed URL. It says when the URL ends and not when it was made.
func (a *assertion) readURL(q query) error {
	var found [3]*dialect.Parameter
	for i, name := range [...]string{a.v2.KeyParameter, "Signature", "Expires"} {
		p, more := q.find(name)
		switch {
		case p == nil && name == "Expires" && q.has("Policy"):
			return malformed(CodePolicy, "a signed URL with Policy is not read here; sign one with Expires")
		case p == nil || p.Raw == "":
			return malformed(CodeMissingParameter, "a signed URL must have "+a.v2.KeyParameter+", Expires and Signature")
		case more:
			return malformed(CodeDuplicateParameter, "the query has "+name+" more than once; give it once")
		}
		found[i] = p
	}
	if a.accessKeyID = found[0].Value(); len(a.accessKeyID) > maxKeyID {
		return malformed(CodeAuthorization, "the access key ID must not be longer than 128 characters")
	}
	a.dateLine = found[2].Value()
	seconds, err := strconv.ParseUint(a.dateLine, 10, 32)
	if err != nil {
		return malformed(CodeExpires, "Expires must be a Unix time in seconds")
	}
	a.at, a.presigned, a.lifetime = time.Unix(0, 0), true, time.Duration(seconds)*time.Second
	var room [64]byte // on the stack: more than a signature takes, unless it is escaped throughout
	return a.readSignature(found[1].AppendUnescaped(room[:0]))
}

func (a *assertion) readSignature(text []byte) error {
	if !dialect.DecodeBase64(a.signature[:], text) {
		return malformed(CodeSignature, "the signature must be the base64 of 20 bytes")
	}
	return nil
}

// claims is one reading for each name that the bucket may have.
func (a *assertion) claims(r *dialect.Request, s *dialect.Scratch, p parts) []dialect.Claim {
	covers := dialect.Method | dialect.Path
	if a.bodySigned {
		covers |= dialect.Body
	}
	token := a.headers.token
	if token == "" {
		token = p.query.get(a.v2.Prefix + tokenName)
	}
	b := append(s.Bytes(512), a.signature[:]...) // and the strings to sign
	signature, signed := b[:len(b):len(b)], a.headers.signed(p.own, a.presigned)
	var room [maxBuckets]string
	names := appendBuckets(room[:0], r)
	claims := s.Claims(len(names))
	for i, bucket := range names {
		c := &claims[i]
		c.Scheme, c.AccessKeyID, c.Service, c.SessionToken = a.v2.Scheme, a.accessKeyID, a.v2.Service, token
		c.SignedAt, c.Skew, c.Presigned, c.Lifetime = a.at, skew, a.presigned, a.lifetime
		c.Covers, c.SignedHeaders = covers, signed
		c.Signature, c.Sign = signature, dialect.SignSHA1
		begin := len(b)
		b = a.appendStringToSign(b, r, p, bucket)
		toSign := b[begin:len(b):len(b)]
		c.StringToSign = toSign
		c.CanonicalRequest = toSign // this signature knows no other
	}
	return claims
}

// appendStringToSign appends method, Content-MD5, Content-Type, date, headers and resource.
func (a *assertion) appendStringToSign(b []byte, r *dialect.Request, p parts, bucket string) []byte {
	for _, text := range [...]string{r.Method, a.headers.contentMD5.value, a.headers.contentType.value, a.dateLine} {
		b = append(append(b, text...), '\n')
	}
	b = appendOwn(b, p.own)
	if bucket != "" {
		b = append(append(b, '/'), bucket...)
	}
	return p.subresources.appendTo(append(b, r.Path()...))
}

// Speaks reports whether r is signed this way, well or badly.
func (v V2) Speaks(r *dialect.Request) bool {
	value, _ := v.authorization(r)
	if _, ours := v.said(value); ours {
		return true
	}
	var room [8]dialect.Parameter
	q, err := appendQuery(room[:0], r.Query())
	return err == nil && q.signed(v.KeyParameter)
}
