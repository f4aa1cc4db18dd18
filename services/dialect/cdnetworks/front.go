package cdnetworks

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// Front answers requests that are signed by this vendor's scheme, as a [dialect.Front]. There is nothing to manage: a
// genuine GET of "/" is told who signed it, and a genuine request of any other path that it is not
// served.
type Front struct{}

// Recognise reports whether r is signed by this vendor's scheme, or wants to be, and is none of the native API.
func (Front) Recognise(r *dialect.Request) bool {
	if r.Native() {
		return false
	}
	foreign := false
	for _, value := range r.Values("Authorization") {
		if strings.HasPrefix(value, "CNC-") {
			return true
		}
		foreign = true
	}
	return !foreign && r.Values("x-cnc-auth-method") != nil
}

// maxAction bounds the name of an operation in records.
const maxAction = 128

// Action is the method and path of r: the vendor's operations have no other name.
func (Front) Action(r *dialect.Request) string {
	action := r.Method + " " + r.Path()
	return action[:min(len(action), maxAction)]
}

// Service is "open-api": a signature of this vendor has no scope.
func (Front) Service(*dialect.Request) string { return "open-api" }

// Identity is "": nothing is written.
func (Front) Identity(*dialect.Request) string { return "" }

// CheckScope refuses a claim that was not made by this vendor's scheme. It returns a [*dialect.MalformedError].
func (Front) CheckScope(_ *dialect.Request, c dialect.Claim) error {
	if c.Scheme != algorithm {
		return malformed(CodeScheme, "a request to this API must be signed by CNC-HMAC-SHA256")
	}
	return nil
}

// identity is who signed a request.
type identity struct {
	AccountID string `json:"accountId"`
	UserID    string `json:"userId"`
	LoginName string `json:"loginName"`
}

// envelope is every answer of this vendor.
type envelope struct {
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Data    *identity `json:"data,omitempty"`
}

// Answer tells who signed r if it is a GET of "/", and otherwise that there is nothing.
func (f Front) Answer(ctx context.Context, w http.ResponseWriter, r *dialect.Request, requestID string, keys dialect.Keys) dialect.Outcome {
	if r.Path() != "/" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return f.Refuse(w, r, requestID, errNotServed)
	}
	who := keys.Caller(ctx)
	write(w, http.StatusOK, requestID, envelope{"0", "Success", &identity{who.Account, who.UserID, who.UserName}})
	return dialect.Outcome{Action: f.Action(r), Status: http.StatusOK}
}

// write sends the whole answer at once, with its length.
func write(w http.ResponseWriter, status int, requestID string, e envelope) {
	body, _ := json.Marshal(e) // of texts alone
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Cnc-Request-Id", requestID)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that is gone is not told
}
