package objectstore

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// buckets are the names that the host of r may give to a bucket; "" if the path names it. Where it is
// known which part of the host is the service, there is one. Where it is not, an address
// or a name without a dot is the service, and of any other name the first part may be a bucket, or the
// whole may be: then a client's signature also holds for another host that reads so.
func buckets(r *dialect.Request) []string {
	host := nameOf(r.Host)
	if r.BaseHost != "" {
		return []string{bucketUnder(host, nameOf(r.BaseHost))}
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || !strings.Contains(host, ".") {
		return []string{""}
	}
	first, _, _ := strings.Cut(host, ".")
	return []string{first, "", host}
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

// A parameter is one of a query, decoded.
type parameter struct{ name, value string }

type query []parameter

// parseQuery decodes a raw query. A plus sign is a space.
func parseQuery(raw string) (query, error) {
	if raw == "" {
		return nil, nil
	}
	var q query
	for param := range strings.SplitSeq(raw, "&") {
		if param == "" {
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
	for _, p := range q {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

func (q query) count(name string) (n int) {
	for _, p := range q {
		if p.name == name {
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

// subresource is what is signed of a query, sorted by name, with its question mark.
func (q query) subresource(prefix string) (string, error) {
	var signed query
	for _, p := range q {
		if name := strings.ToLower(p.name); subresources[name] || strings.HasPrefix(name, prefix) {
			signed = append(signed, p)
		}
	}
	slices.SortFunc(signed, func(x, y parameter) int { return strings.Compare(x.name, y.name) })
	var b strings.Builder
	for i, p := range signed {
		switch {
		case i == 0:
			b.WriteByte('?')
		case p.name == signed[i-1].name:
			return "", malformed(CodeDuplicateParameter, "the query has a parameter that is signed more than once; give each once")
		default:
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p.name))
		if p.value != "" {
			b.WriteString("=" + p.value)
		}
	}
	return b.String(), nil
}
