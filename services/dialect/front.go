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

// A Servicer is a [Front] whose requests are for one service, whatever the scope of their signature says.
type Servicer interface {
	// Service is the vendor's name of the service that r asks, for records; "" if r does not say.
	Service(r *Request) string
}

// An Outcome is what became of a request, for logs and counters.
type Outcome struct {
	Action string // the vendor's name of the operation, or "" if it is none
	Status int    // HTTP
	Code   string // the vendor's error code, or ""
}

// An Owner names a user of the caller's account, by ID or else by name. The zero Owner is
// the caller; Anyone is whoever owns the key in question.
type Owner struct {
	ID   string // 18 digits
	Name string
	Any  bool
}

// Anyone is whoever owns the key.
var Anyone = Owner{Any: true}

// Keys is what a front needs of the ledger, on behalf of one authenticated caller.
//
// A key that the caller may not know of, or that is deleted and not asked for in the recycle
// bin, is not there: it is [NotFound]; a user that is not there is [NoUser]. Errors are *[Fault]; any
// other error is answered as [Internal], a context that ended as [Unknown].
type Keys interface {
	// Create makes a key for the user. Where this request was carried out by
	// an earlier attempt, it returns that key without its secret.
	Create(ctx context.Context, of Owner, description string) (CreatedKey, error)
	// List returns at most limit keys (1 to 1000) of a user, newest or oldest first but
	// always the same way. cursor is "" or the Next of the page before, of at
	// most 320 characters.
	List(ctx context.Context, of Owner, cursor string, limit int) (Page, error)
	// Show returns one key.
	Show(ctx context.Context, of Owner, accessKeyID string) (Key, error)
	// SetStatus enables or disables a key. It does nothing if the key is so.
	SetStatus(ctx context.Context, of Owner, accessKeyID string, active bool) error
	// Describe gives a key a description of at most 256 characters on one line.
	Describe(ctx context.Context, of Owner, accessKeyID, description string) error
	// Update does what SetStatus and Describe do at once: both or neither.
	Update(ctx context.Context, of Owner, accessKeyID string, to Change) error
	// Delete deletes a key: to the recycle bin where the account has one, else for good.
	Delete(ctx context.Context, of Owner, accessKeyID string) error
	// LastUsed is when a key was last used.
	LastUsed(ctx context.Context, of Owner, accessKeyID string) (LastUse, error)

	// Bin lists a user's keys in the recycle bin, as List does.
	Bin(ctx context.Context, of Owner, cursor string, limit int) (BinPage, error)
	// Binned returns one key in the recycle bin.
	Binned(ctx context.Context, of Owner, accessKeyID string) (BinnedKey, error)
	// Restore brings a key back from the recycle bin, disabled.
	Restore(ctx context.Context, of Owner, accessKeyID string) error
	// Purge ends a key in the recycle bin for ever.
	Purge(ctx context.Context, of Owner, accessKeyID string) error

	// NetworkPolicy is a key's own network policy; the zero one if it has none.
	NetworkPolicy(ctx context.Context, of Owner, accessKeyID string) (NetworkPolicy, error)
	// SetNetworkPolicy gives a key a network policy of its own.
	SetNetworkPolicy(ctx context.Context, of Owner, accessKeyID string, p NetworkPolicy) error
	// AccountNetworkPolicy is that of the caller's account, which binds all its keys.
	AccountNetworkPolicy(ctx context.Context) (NetworkPolicy, error)
	// SetAccountNetworkPolicy sets it. One that would lock out the caller is [Invalid].
	SetAccountNetworkPolicy(ctx context.Context, p NetworkPolicy) error

	// Quota is how many keys a user of the caller's account may have; zero: any number.
	Quota(ctx context.Context) (int, error)
	// Caller says who is calling.
	Caller(ctx context.Context) Identity
}

// A Key is an access key that is not deleted.
type Key struct {
	UserID      string
	UserName    string
	AccessKeyID string
	Active      bool
	Description string
	CreatedAt   time.Time
	ChangedAt   time.Time // of its status; CreatedAt if it never changed
}

// A CreatedKey is a key and, this once, its secret.
type CreatedKey struct {
	Key
	Secret Secret // "" if it was sent before
}

// A Change is what is to become of a key. What is nil stays as it is.
type Change struct {
	Active      *bool
	Description *string // as Describe has it
}

// A Page is some of a user's keys. Next is "" on the last one.
type Page struct {
	Keys []Key
	Next string
}

// A BinnedKey is a key in the recycle bin.
type BinnedKey struct {
	UserID      string
	UserName    string
	AccessKeyID string
	CreatedAt   time.Time
	DeletedAt   time.Time
	PurgeAt     time.Time // when it is gone for ever
}

// A BinPage is some of a user's keys in the recycle bin. Next is "" on the last one.
type BinPage struct {
	Keys []BinnedKey
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

// A NetworkPolicy says from where keys may be used. One that is active allows what one of its
// statements allows; one that is not allows everything.
type NetworkPolicy struct {
	Active     bool
	Statements []NetworkStatement
}

// AnyVPC is the VPC of a statement about whatever private network.
const AnyVPC = "any"

// A NetworkStatement allows some sources.
type NetworkStatement struct {
	VPC       string   // the private network that a request comes through, or AnyVPC; "" if it is all one
	Addresses []string // IPv4 and IPv6 addresses and CIDR prefixes
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
	NotFound                // no such key
	Limit                   // the user has as many keys as it may have
	Denied                  // the caller may not do this
	Conflict                // the key must be disabled before it is deleted
	Invalid                 // a value that was well-formed and still cannot be
	Reused                  // another request had the same identity
	Unknown                 // it may or may not have been done; try again
	Unavailable             // it was not done; try again
	NoUser                  // no such user
	BinFull                 // the user's recycle bin takes no more
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
