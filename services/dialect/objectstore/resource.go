package objectstore

import (
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
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !strings.Contains(host, ".") {
		return append(names, "")
	}
	first, _, _ := strings.Cut(host, ".")
	return append(names, first, "", host)
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
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return host[:colon]
	}
	return host
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

// A parameter is one of a query, decoded.
type parameter struct{ name, value string }

type query []parameter

// appendQuery appends the parameters of a raw query, decoded. A plus sign is a space.
func appendQuery(q query, raw string) (query, error) {
	for raw != "" {
		var param string
		if param, raw, _ = strings.Cut(raw, "&"); param == "" {
			continue
		}
		name, value, _ := strings.Cut(param, "=")
		name, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, malformed(CodeEncoding, "the query has a percent sign that is not followed by two hexadecimal digits")
		}
		q = append(q, parameter{name, value})
	}
	return q, nil
}

func (q query) get(name string) string {
	for i := range q {
		if q[i].name == name {
			return q[i].value
		}
	}
	return ""
}

func (q query) count(name string) (n int) {
	for i := range q {
		if q[i].name == name {
			n++
		}
	}
	return n
}

// signed says whether a query is that of a signed URL. AccessKeyId and Signature alone are another
// vendor's, too.
func (q query) signed(keyParameter string) bool {
	return q.count(keyParameter) > 0 && q.count("Signature") > 0 && q.count("Expires")+q.count("Policy") > 0
}

// appendSubresources appends what is signed of a query, sorted by name.
func (q query) appendSubresources(signed query, prefix string) (query, error) {
	for i := range q {
		if isSubresource(q[i].name, prefix) {
			signed = append(signed, q[i])
		}
	}
	slices.SortFunc(signed, func(x, y parameter) int { return strings.Compare(x.name, y.name) })
	for i := 1; i < len(signed); i++ {
		if signed[i].name == signed[i-1].name {
			return nil, malformed(CodeDuplicateParameter, "the query has a parameter that is signed more than once; give each once")
		}
	}
	return signed, nil
}

// appendTo appends the parameters as they are signed, with the question mark before them.
func (q query) appendTo(b []byte) []byte {
	separator := byte('?')
	for i := range q {
		b = append(append(b, separator), url.QueryEscape(q[i].name)...)
		if q[i].value != "" {
			b = append(append(b, '='), q[i].value...)
		}
		separator = '&'
	}
	return b
}
