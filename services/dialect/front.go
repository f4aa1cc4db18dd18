package dialect

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// A Front is a vendor's own API on access keys. It reads requests, asks
// [Keys], and answers in the vendor's words; it authenticates nobody.
type Front interface {
	// Recognise reports whether r wants to be a request to this API, by its
	// shape alone. One that will be refused is recognised too: it should be
	// refused in the vendor's words.
	Recognise(r *Request) bool
	// Action is the vendor's name of the operation that r asks for, as r spells it,
	// or "": for records, not for deciding.
	Action(r *Request) string
	// Identity is what the client calls this request, the same for each of its
	// attempts, or "" if it does not say: 1 to 128 printable ASCII characters.
	Identity(r *Request) string
	// CheckScope refuses a claim that was not made for this API, with a
	// [*MalformedError].
	CheckScope(r *Request, c Claim) error
	// Answer carries out r, which is authenticated and whose caller keys stands
	// for. requestID is ours, for the answer.
	Answer(ctx context.Context, w http.ResponseWriter, r *Request, requestID string, keys Keys) Outcome
	// Refuse answers r with an error: [ErrUnsigned], [ErrUnknownKey], a
	// [*MalformedError], a [*RefusedError] or a [*Fault]. Of any other error nothing
	// is shown but that there was one.
	Refuse(w http.ResponseWriter, r *Request, requestID string, err error) Outcome
}

// An Outcome is what became of a request, for logs and counters.
type Outcome struct {
	Action string // the vendor's name of the operation, or "" if it is none
	Status int    // HTTP
	Code   string // the vendor's error code, or ""
}

// Keys is what a front needs of the ledger, on behalf of one
// authenticated caller. A user is named by its user name; "" means the caller.
//
// A key that the caller may not know of, or that is deleted and waits to be
// purged, is not there: it is [NotFound]. Errors are *[Fault]; any
// other error is answered as [Internal], a context that ended as [Unknown].
type Keys interface {
	// Create makes a key for the user. Where this request was carried out by
	// an earlier attempt, it returns that key without its secret.
	Create(ctx context.Context, user string) (CreatedKey, error)
	// List returns at most limit keys (1 to 1000), newest or oldest first but
	// always the same way. cursor is "" or the Next of the page before, of at
	// most 320 characters.
	List(ctx context.Context, user, cursor string, limit int) (Page, error)
	// SetStatus enables or disables a key. It does nothing if the key is so.
	SetStatus(ctx context.Context, user, accessKeyID string, active bool) error
	// Delete deletes a key for good, as far as the caller can see.
	Delete(ctx context.Context, user, accessKeyID string) error
	// LastUsed is when a key was last used, whoever of the caller's account owns it.
	LastUsed(ctx context.Context, accessKeyID string) (LastUse, error)
	// Caller says who is calling.
	Caller(ctx context.Context) Identity
}

// A Key is an access key as lists show it.
type Key struct {
	UserName    string
	AccessKeyID string
	Active      bool
	CreatedAt   time.Time
}

// A CreatedKey is a key and, this once, its secret.
type CreatedKey struct {
	Key
	Secret Secret // "" if it was sent before
}

// A Page is some of a user's keys. Next is "" on the last one.
type Page struct {
	Keys []Key
	Next string
}

// A LastUse is the last request by a key that was allowed. Time is zero if there
// never was one.
type LastUse struct {
	UserName string // of the key's owner
	Time     time.Time
	Service  string
	Region   string
}

// An Identity is who is calling.
type Identity struct {
	Account  string // 12 digits
	UserID   string
	UserName string
	Root     bool // the account's root user
}

// A Secret is a secret access key. However it is printed, it prints "[secret]".
type Secret string

const hidden = "[secret]"

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// A Kind is what a caller should make of a [Fault].
type Kind int

// The kinds of fault.
const (
	Internal    Kind = iota // our failure; Detail is not shown
	NotFound                // no such user or key
	Limit                   // the user has as many keys as it may have
	Denied                  // the caller may not do this
	Conflict                // the key must be disabled before it is deleted
	Invalid                 // a value that was well-formed and still cannot be
	Reused                  // another request had the same identity
	Unknown                 // it may or may not have been done; try again
	Unavailable             // it was not done; try again
)

// A Fault is why the ledger did not do what was asked. Detail is a sentence
// for the caller; it may be empty.
type Fault struct {
	Kind   Kind
	Detail string
}

func (f *Fault) Error() string {
	if f.Detail == "" {
		return "fault of kind " + strconv.Itoa(int(f.Kind))
	}
	return f.Detail
}
