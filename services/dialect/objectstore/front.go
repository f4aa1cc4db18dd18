package objectstore

import (
	"context"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// A Front answers requests to a vendor's object store, as a [dialect.Front]. There are no
// buckets: what is genuine is told so in the vendor's words.
type Front struct {
	Service string // that signatures are made for: "s3"
	Prefix  string // of the headers of answers: "x-amz-"
	Expired string // the code for a signed URL whose time is over
	// Signed reports whether a request is signed the way of this vendor's object store.
	Signed func(*dialect.Request) bool
}

// Recognise reports whether r is signed for the object store. Paths under /v1/ are the native
// API's, whoever signs.
func (f Front) Recognise(r *dialect.Request) bool {
	return !strings.HasPrefix(r.Path()+"/", "/v1/") && f.Signed(r)
}

// methods are those that an object store knows.
var methods = map[string]bool{
	http.MethodGet: true, http.MethodHead: true, http.MethodPut: true, http.MethodPost: true, http.MethodDelete: true, http.MethodOptions: true,
}

// Action is what the vendor's access logs call a request: REST.GET.
func (Front) Action(r *dialect.Request) string {
	if !methods[r.Method] {
		return ""
	}
	return "REST." + r.Method
}

// Identity returns "": nothing is changed here.
func (Front) Identity(*dialect.Request) string { return "" }

// CheckScope refuses a claim that was made for another service, with a [*dialect.MalformedError].
func (f Front) CheckScope(_ *dialect.Request, c dialect.Claim) error {
	if c.Service != "" && c.Service != f.Service {
		return malformed(CodeScopeService, "the signature must be made for the service "+f.Service)
	}
	return nil
}

// Answer says that there is no such bucket, or that what r asks for is not done here:
// listing all buckets, and making one.
func (f Front) Answer(_ context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, _ dialect.Keys) dialect.Outcome {
	e := &refusal{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist."}
	if ofBuckets(r) {
		e = &refusal{http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented."}
	}
	outcome := f.Refuse(w, r, requestID, e)
	outcome.Action = f.Action(r)
	return outcome
}

// ofBuckets reports whether r lists all buckets or makes one: of what could be an object in a bucket that
// the host names, it says that it is that.
func ofBuckets(r *dialect.Request) bool {
	path := strings.Trim(r.Path(), "/")
	oneBucket := r.Method == http.MethodPut && !strings.Contains(path, "/") && len(appendBuckets(nil, r)) == 1
	return r.Query() == "" && (path == "" || oneBucket)
}

type errorElement struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// Refuse writes err in the vendor's form, in one write, and returns what it wrote. An answer to HEAD
// has its code and message in headers, where clients of OBS look for them.
func (f Front) Refuse(w http.ResponseWriter, r *dialect.Request, requestID string, err error) dialect.Outcome {
	e := f.inWords(err)
	h := w.Header()
	h.Set(f.Prefix+"request-id", requestID)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/xml")
	if r.Method == http.MethodHead {
		h.Set(f.Prefix+"error-code", e.code)
		h.Set(f.Prefix+"error-message", e.message)
		w.WriteHeader(e.status)
		return dialect.Outcome{Status: e.status, Code: e.code}
	}
	body, failed := xml.Marshal(errorElement{Code: e.code, Message: e.message, Resource: r.Path(), RequestID: requestID, HostID: requestID})
	if failed != nil { // the element is of plain text
		body = nil
	}
	body = append([]byte(xml.Header), body...)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // a caller that is gone is not told
	return dialect.Outcome{Status: e.status, Code: e.code}
}
