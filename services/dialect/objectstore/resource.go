package objectstore

import (
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keyledger/keyledger/services/dialect"
)

// maxBuckets is how many names a host may give to a bucket.
const maxBuckets = 3

// appendBuckets appends the names that the host of r may give to a bucket; "" if the path names it. Where it is
// known which part of the host is the service, there is one. Where it is not, an address
// or a name without a dot is the service, and of any other name the first part may be a bucket, or the
// whole may be: then a client's signature also holds for another host that reads so.
func appendBuckets(names []string, r *dialect.Request) []string {
	host := nameOf(r.Host)
	if r.BaseHost != "" {
		return append(names, bucketUnder(host, nameOf(r.BaseHost)))
	}
	if !strings.Contains(host, ".") || isAddress(strings.Trim(host, "[]")) {
		return append(names, "")
	}
	first, _, _ := strings.Cut(host, ".")
	return append(names, first, "", host)
}

// isAddress says whether a host is an IP address. Most are not, and need not be parsed to be told: an address is digits and
// dots, or has a colon.
func isAddress(host string) bool {
	if strings.IndexByte(host, ':') < 0 && strings.Trim(host, "0123456789.") != "" {
		return false
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// bucketUnder is the bucket that a host names below the service's own name. A host that is
// not below it is a domain of the customer's, which is signed in the bucket's place.
func bucketUnder(host, base string) string {
	if strings.EqualFold(host, base) {
		return ""
	}
	if n := len(host) - len(base) - 1; n > 0 && host[n] == '.' && strings.EqualFold(host[n+1:], base) {
		return host[:n]
	}
	return host
}

// nameOf is a host without its port.
func nameOf(host string) string {
	colon := strings.IndexByte(host, ':')
	if colon < 0 {
		return host
	}
	if strings.IndexByte(host[colon+1:], ':') >= 0 || strings.IndexByte(host, ']') >= 0 {
		if colon = strings.LastIndexByte(host, ':'); colon < strings.LastIndexByte(host, ']') {
			return host
		}
	}
	return host[:colon]
}

// subresources are the parameters that name a part of a resource, or what is to be done with
// it, in lower case: what signers of Amazon S3 and of Huawei OBS sign of a query.
var subresources = setOf(
	"accelerate", "acl", "analytics", "cors", "defaultobjectacl", "delete", "encryption", "inventory", "lifecycle", "location", "logging",
	"metrics", "notification", "object-lock", "partnumber", "policy", "policystatus", "publicaccessblock", "replication", "requestpayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type",
	"response-expires", "restore", "retention", "select", "select-type", "storageclass", "tagging", "torrent", "uploadid", "uploads", "versionid",
	"versioning", "versions", "website",
	// of Huawei OBS alone
	"append", "attname", "backtosource", "bucketstatus", "cdnnotifyconfiguration", "customdomain", "deletebucket", "directcoldaccess",
	"ignore-sign-in-query", "length", "metadata", "mirrorbacktosource", "modify", "name", "position", "quota", "rename", "storageinfo",
	"storagepolicy", "truncate", "x-image-process", "x-image-save-bucket", "x-image-save-object", "x-obs-accesslabel", "x-obs-security-token",
	"x-oss-process",
)

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// isSubresource says whether a parameter of that name is signed.
func isSubresource(name, prefix string) bool {
	var room [32]byte // as long as any of them
	lower := room[:0]
	for i := range len(name) {
		c := name[i]
		if i == len(room) || c >= utf8.RuneSelf { // none of them, unless it begins so
			return strings.HasPrefix(strings.ToLower(name), prefix)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower = append(lower, c)
	}
	return subresources[string(lower)] || strings.HasPrefix(string(lower), prefix)
}

type query []dialect.Parameter

// appendQuery appends the parameters of a raw query. S3 and OBS bound a request target and not how many parameters it has,
// and so do we: each is looked at but once.
func appendQuery(q query, raw string) (query, error) {
	q, err := dialect.AppendParameters(q, raw, math.MaxInt)
	if err != nil {
		return nil, malformed(CodeEncoding, "the query has a percent sign that is not followed by two hexadecimal digits")
	}
	return q, nil
}

// find finds the first parameter of that name, nil if there is none, and says whether there are more.
func (q query) find(name string) (first *dialect.Parameter, more bool) {
	for i := range q {
		switch p := &q[i]; {
		case p.Name != name:
		case first == nil:
			first = p
		default:
			return first, true
		}
	}
	return first, false
}

// get is the value of the first parameter of that name, unescaped.
func (q query) get(name string) string {
	if p, _ := q.find(name); p != nil {
		return p.Value()
	}
	return ""
}

func (q query) has(name string) bool {
	return slices.ContainsFunc(q, func(p dialect.Parameter) bool { return p.Name == name })
}

// signed says whether a query is that of a signed URL. AccessKeyId and Signature alone are another
// vendor's, too.
func (q query) signed(keyParameter string) bool {
	return q.has(keyParameter) && q.has("Signature") && (q.has("Expires") || q.has("Policy"))
}

// appendSubresources appends what is signed of a query, sorted by name.
func (q query) appendSubresources(signed query, prefix string) (query, error) {
	for i := range q {
		if isSubresource(q[i].Name, prefix) {
			signed = append(signed, q[i])
		}
	}
	if !dialect.SortParameters(signed) {
		return nil, malformed(CodeDuplicateParameter, "the query has a parameter that is signed more than once; give each once")
	}
	return signed, nil
}

// appendTo appends the parameters as they are signed, with the question mark before them.
func (q query) appendTo(b []byte) []byte {
	separator := byte('?')
	for i := range q {
		p := &q[i]
		b = append(b, separator)
		if p.Clean {
			b = append(b, p.Name...)
		} else {
			b = append(b, url.QueryEscape(p.Name)...)
		}
		if p.Raw != "" {
			b = p.AppendUnescaped(append(b, '='))
		}
		separator = '&'
	}
	return b
}
