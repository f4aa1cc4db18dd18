// Package verify says whether a signed request is genuine: whether somebody
// who holds an active key of the ledger signed it, now.
//
// The way in is [Verifier.Verify]. The checks stand in one order: parse, clock, lookup,
// signature, nonce, state, restriction, network, lock; a request that fails several hears of the
// first. What parse and clock say depends on the request alone. A key that is not known costs the same work
// as one that is: its lookup ends in a decoy whose secret is opened and, in time, whose MAC is
// computed all the same. From the state on, the request is genuine: whoever hears more holds
// the secret. Keys and opened secrets are kept in memory until an event
// about them is applied ([Verifier.Forget]); a verdict never is.
//
// Where a scheme demands that a nonce comes but once, it is remembered while it could come
// again; the node reads those of before its start from the access records.
//
// The limits: it decides and tells; it keeps no record of a use. What other nodes have
// seen of nonces it does not know.
package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/vault"
)

// Reasons of a decision. They are stable. Those that dialect.Check and a
// scheme's reading give (signature_mismatch, request_expired, missing_date, ...) are reasons too.
const (
	Unsigned         = "unsigned"           // no scheme reads the request
	UnknownKey       = "unknown_key"        // no such key, or one that was purged
	KeyDisabled      = "key_disabled"       // the key is disabled
	KeyDeleted       = "key_deleted"        // the key is in the recycle bin
	KeyRestricted    = "key_restricted"     // the key is under leak protection
	SchemeNotAllowed = "scheme_not_allowed" // the account's policy narrows the schemes
	KeyLocked        = "key_locked"         // too many wrong signatures came from there; of schemes whose vendor locks
	SessionToken     = "session_token"      // temporary credentials, of which there are none here
	NetworkPolicy    = "network_policy"     // the key may not be used from there
	Forbidden        = "forbidden"          // whoever signed may not do what is asked; said of management calls by the API, not here
)

// DetailUnknownKey is what people are told of a key that does not exist.
const DetailUnknownKey = "the access key is not valid"

// ErrStale says that this node has not heard of the log's latest position, so
// that it cannot know what was revoked. It refuses to decide.
var ErrStale = errors.New("verify: this node is behind the log; try again")

// A Key is what is known of a key.
type Key struct {
	Owner  events.Subject
	Status string
	Sealed events.Sealed
	// Restriction is the leak protection of the key.
	Restriction Restriction
	Schemes     []string // that the account's policy allows; empty: every scheme
	// Networks are the network policies that bind the key, each of which has to allow a
	// request; none: it may come from anywhere.
	Networks []Network
}

// A Restriction is what leak protection refuses a key.
type Restriction byte

// Restrictions.
const (
	Unrestricted Restriction = iota
	NoManagement             // requests to the ledger itself; of all others it is told, and decided by whoever asks
	NoUse                    // every request
)

// RestrictionOf is what a restricted key is refused under its account's policy.
func RestrictionOf(p events.Policy) Restriction {
	if policy.LeakDenies(p) {
		return NoUse
	}
	return NoManagement
}

// Config is what a Verifier stands on. All fields but Lockouts and Observe are required.
type Config struct {
	// Applied is the position that what Lookup says has at least reached.
	Applied func() events.Position
	// Lookup finds a key; found is false for one that never was or was purged.
	Lookup func(events.AccessKeyID) (k Key, found bool, err error)
	// Fresh is ErrStale, or why it cannot be known, when nothing may be decided now.
	Fresh   func(ctx context.Context) error
	Vault   *vault.Vault
	Schemes []dialect.Scheme
	// Lockouts are the rules of vendors against guessing, by scheme; none if it is nil.
	Lockouts map[string]dialect.Lockout
	Now      func() time.Time
	// Observe is told of every call of Verify: what came of it, and how long it took.
	// Nothing if it is nil.
	Observe func(ctx context.Context, d Decision, err error, took time.Duration)
}

// A Verifier decides. It may be used by many goroutines at once.
type Verifier struct {
	Config
	decoy  Key
	cache  *cache
	nonces nonces

	lockouts map[string]*lockout // by scheme
}

// New makes a Verifier and the decoy that unknown keys are checked against.
func New(c Config) (*Verifier, error) {
	decoy := Key{Owner: events.KeyringSubject("100000000000", "100000000000000000"), Status: events.StatusActive}
	sealed, err := c.Vault.Seal(decoy.Owner.Account, decoyID, 1, vault.NewSecret([]byte("a decoy, as long as a real secret is....")))
	if err != nil {
		return nil, fmt.Errorf("verify: seal the decoy: %w", err)
	}
	decoy.Sealed = sealed
	v := &Verifier{Config: c, decoy: decoy, cache: newCache(), lockouts: newLockouts(c.Lockouts)}
	v.nonces.ofKey, v.nonces.all = maxNoncesOfKey, maxNonces
	return v, nil
}

// decoyID names no key: ours never hold a '-', and a key that was imported with this ID would
// be found, and is sealed for its own account.
const decoyID events.AccessKeyID = "DECOY-KEY-OF-NOBODY-"

// A Decision is the answer.
type Decision struct {
	Allowed  bool
	Reason   string             // empty if allowed
	Detail   string             // for people; never says more than the reason does
	Genuine  bool               // the signature verified in its time window, whatever became of the request
	Key      events.AccessKeyID // that the request named; empty if it could not be read
	Owner    events.Subject     // of the key, if it is known
	Status   string             // of the key, if it is known
	Position events.Position    // of the log, at which it was decided
	Claim    dialect.Claim      // the reading that held, else the first; zero if there was none. Only Explain leaves it its texts and its signature
	Nonce    Nonce              // for the access record of a genuine request; zero if its scheme demands none
	// Malformed is the scheme's own complaint when the request could not be read.
	Malformed *dialect.MalformedError
	// Refused is dialect's own complaint when the signature or the clock was wrong.
	Refused *dialect.RefusedError
	// Network says whose network policy denied a genuine request.
	Network *dialect.NetworkError
	// Restricted says of a genuine request that its key is under leak protection, whether or
	// not it is refused for that.
	Restricted bool
}

// Verify decides about r, a request to the ledger itself. The error is ErrStale, ErrRefilling, ErrCrowded or a fault; whether the request
// is genuine is in the Decision alone.
func (v *Verifier) Verify(ctx context.Context, r *dialect.Request) (Decision, error) {
	return v.observed(ctx, r, true, anybody)
}

func anybody(events.Subject) bool { return true }

// VerifyFor decides about r, a request to somebody else, who may ask about the keys of some owners only. The
// decision about another's is right, but it uses no nonce up and locks no key: whoever asks must not be told of it.
func (v *Verifier) VerifyFor(ctx context.Context, r *dialect.Request, may func(owner events.Subject) bool) (Decision, error) {
	return v.observed(ctx, r, false, may)
}

func (v *Verifier) observed(ctx context.Context, r *dialect.Request, managing bool, may func(events.Subject) bool) (Decision, error) {
	if v.Observe == nil {
		return v.verify(ctx, r, managing, may)
	}
	began := time.Now()
	d, err := v.verify(ctx, r, managing, may)
	v.Observe(ctx, d, err, time.Since(began))
	return d, err
}

func (v *Verifier) verify(ctx context.Context, r *dialect.Request, managing bool, may func(events.Subject) bool) (Decision, error) {
	if err := v.Fresh(ctx); err != nil {
		return Decision{}, err
	}
	scratch := dialect.NewScratch()
	defer scratch.Release()
	claims, err := scratch.Read(r, v.Schemes)
	if err != nil || len(claims) == 0 {
		return v.attempt(err)
	}
	d, err := v.judge(claims, asked{source: r.Source, managing: managing}, func(owner events.Subject, id events.AccessKeyID, c dialect.Claim) (Nonce, bool, error) {
		if !may(owner) {
			return Nonce{}, false, nil
		}
		return v.replayed(id, c)
	})
	if err == nil && may(d.Owner) {
		d = v.lock(d, r.Source)
	}
	d.Claim.Detach() // the next request gets their memory
	return d, err
}

// attempt is the decision about a request that no scheme could read. It goes on the record of the key that it names, if it
// names one that there is: as one that is out of time does.
func (v *Verifier) attempt(reading error) (Decision, error) {
	at := v.Applied()
	d, err := unread(reading)
	d.Position = at
	if err != nil || d.Malformed == nil || d.Malformed.AccessKeyID == "" {
		return d, err
	}
	d.Key, d.Claim.Scheme = events.AccessKeyID(d.Malformed.AccessKeyID), d.Malformed.Scheme
	e, err := v.find(d.Key)
	if err == nil && e.found {
		d.Owner, d.Status = e.key.Owner, e.key.Status
	}
	return d, err
}

// unread is the decision about a request that no scheme could read, whoever it names.
func unread(err error) (Decision, error) {
	if err == nil || errors.Is(err, dialect.ErrUnsigned) {
		return Decision{Reason: Unsigned, Detail: "the request carries no signature"}, nil
	}
	if bad, ok := errors.AsType[*dialect.MalformedError](err); ok {
		return Decision{Reason: bad.Code, Detail: bad.Detail, Malformed: bad}, nil
	}
	return Decision{}, err
}

// A nonceJudge says whether the nonce of a claim that holds came before, and what is
// remembered of it.
type nonceJudge func(owner events.Subject, id events.AccessKeyID, c dialect.Claim) (n Nonce, seen bool, err error)

// An asked is what a decision goes by besides the signature.
type asked struct {
	source   netip.Addr // where the request came from; invalid if that is not known
	managing bool       // it is a request to the ledger itself
}

// judge judges the readings of one request, of which one that holds is enough.
// The state of the key is looked at after them, so that a stranger who has no secret
// learns nothing of it. A request that is out of time has its key looked up all the same: it is
// an attempt, and goes on the key's record. replayed says whether a nonce came before.
func (v *Verifier) judge(claims []dialect.Claim, a asked, replayed nonceJudge) (Decision, error) {
	first := claims[0]
	id := events.AccessKeyID(first.AccessKeyID)
	d, now := Decision{Key: id, Claim: first, Position: v.Applied()}, v.Now()
	late := dialect.InTime(claims, now)
	e, err := v.find(id)
	if err != nil {
		return d, err
	}
	if e.found {
		d.Owner, d.Status = e.key.Owner, e.key.Status
	}
	if late != nil {
		return d.unheld(late)
	}
	held, err := dialect.CheckAny(claims, e.secret.Reveal(), now)
	if !e.found {
		return d.refuse(UnknownKey, DetailUnknownKey), nil
	}
	if err != nil {
		return d.unheld(err)
	}
	d.Claim = *held
	if held.Nonce != "" {
		n, seen, err := replayed(d.Owner, id, *held)
		if err != nil {
			return d, err
		}
		if seen {
			d.Refused = &dialect.RefusedError{Reason: dialect.Replayed, SignedAt: held.SignedAt, Now: v.Now(), Window: held.Skew}
			return d.refuse(dialect.Replayed, d.Refused.Error()), nil
		}
		d.Nonce = n
	}
	d.Genuine = true
	return d.standing(e.key, a), nil
}

// standing decides about a genuine request by what its key may do now.
func (d Decision) standing(k Key, a asked) Decision {
	d.Restricted = k.Restriction != Unrestricted
	if d = d.state(k); d.Allowed {
		d = d.restriction(k.Restriction, a.managing)
	}
	if d.Allowed {
		d = d.network(k.Networks, a.source)
	}
	return d
}

// Stands says whether a request to the ledger itself that was allowed would be allowed now, as far as that is up to its key
// and to where it came from: for an answer that goes on for long.
func (v *Verifier) Stands(d Decision, source netip.Addr) (bool, error) {
	e, err := v.find(d.Key)
	if err != nil || !e.found {
		return false, err
	}
	d.Allowed = false
	return d.standing(e.key, asked{source: source, managing: true}).Allowed, nil
}

// unheld is the decision about a request none of whose claims holds.
func (d Decision) unheld(err error) (Decision, error) {
	refused, ok := errors.AsType[*dialect.RefusedError](err)
	if !ok {
		return d, err
	}
	d.Refused = refused
	return d.refuse(refused.Reason, refused.Error()), nil
}

// find is what a request that names a key is judged by.
func (v *Verifier) find(id events.AccessKeyID) (*entry, error) {
	s := v.cache.of(id)
	e, version := s.get(id)
	if e != nil {
		return e, nil
	}
	id = events.AccessKeyID(strings.Clone(string(id))) // it is a part of the request, which must not be kept
	e, err := v.load(id)
	if err == nil {
		s.put(id, e, version)
	}
	return e, err
}

// load reads a key and opens its secret; for one that does not exist it does as much
// with the decoy.
func (v *Verifier) load(id events.AccessKeyID) (*entry, error) {
	k, found, err := v.Lookup(id)
	if err != nil {
		return nil, err
	}
	account, sealedID := k.Owner.Account, id
	if !found {
		k, account, sealedID = v.decoy, v.decoy.Owner.Account, decoyID
	}
	secret, err := v.Vault.Open(account, sealedID, k.Sealed)
	if err != nil {
		return nil, fmt.Errorf("verify: open the secret of %s: %w", id, err)
	}
	return &entry{key: k, secret: secret, found: found}, nil
}

func (d Decision) refuse(reason, detail string) Decision {
	d.Reason, d.Detail = reason, detail
	return d
}

// state decides about a genuine request by the key's state.
func (d Decision) state(k Key) Decision {
	switch {
	case d.Claim.SessionToken != "":
		return d.refuse(SessionToken, "the security token is not valid: there are no temporary credentials here")
	case k.Status == events.StatusDisabled:
		return d.refuse(KeyDisabled, "the access key is disabled")
	case k.Status != events.StatusActive:
		return d.refuse(KeyDeleted, "the access key is deleted")
	case len(k.Schemes) > 0 && !slices.Contains(k.Schemes, d.Claim.Scheme):
		return d.refuse(SchemeNotAllowed, "the account's policy does not allow the signature scheme "+d.Claim.Scheme)
	}
	d.Allowed = true
	return d
}

// restriction decides about a request that may go on as far as the key's state goes.
func (d Decision) restriction(r Restriction, managing bool) Decision {
	if r == Unrestricted || r == NoManagement && !managing {
		return d
	}
	d.Allowed = false
	return d.refuse(KeyRestricted, "the access key is restricted: there is reason to think that somebody else knows its secret")
}
