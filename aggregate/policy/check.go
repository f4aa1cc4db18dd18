package policy

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// Values of Quota.Counts. Keys in the recycle bin never count.
const (
	CountActive            = "active"
	CountActiveAndDisabled = "active+disabled"
)

// Values of Recycle.Overflow: what deleting does when the recycle bin is full.
const (
	OverflowPurgeOldest = "purge-oldest"
	OverflowRefuse      = "refuse"
)

// Values of DeleteRule.MinIdleMode: what deleting a key does that was used lately.
const (
	IdleWarn  = "warn"
	IdleBlock = "block"
)

// Values of the fields of Confirm: what a person is asked before an action.
const (
	ConfirmNone       = "none"
	ConfirmClick      = "click"
	ConfirmTypeDelete = "type:DELETE"
	ConfirmTypeKeyID  = "type:key_id"
)

// Values of RootRule.Create: whether the root user may have keys.
const (
	RootAllow = "allow"
	RootWarn  = "warn"
	RootDeny  = "deny"
)

// Values of SelfService: whether a user may manage its own keys with its own key.
const (
	SelfServiceOn    = "on"
	SelfServiceGrant = "grant" // with events.GrantManageOwnKeys
	SelfServiceOff   = "off"
)

// Values of NetworkRule.Precedence: what becomes of the account's network policy where a key
// has an active one of its own.
const (
	NetworkReplace   = "replace"   // the key's is asked alone
	NetworkIntersect = "intersect" // both have to allow
)

// Values of LeakRule.Action: what a restricted key is refused.
const (
	LeakDenyAll        = "deny-all"        // every use
	LeakDenyManagement = "deny-management" // requests to the ledger itself; gateways are told that it is restricted, and see to the rest
)

// Values of LeakRule.Unrestrict: who may end the restriction of a key.
const (
	UnrestrictAdmin = "admin"
	UnrestrictNever = "never" // nobody: the key has to be replaced
)

// Bounds of the numbers in a policy.
const (
	maxQuota      = 100
	MaxSeconds    = 10 * 365 * day // of any duration
	MaxPerUser    = 1000           // keys in one user's recycle bin
	maxSchemes    = 32
	maxSchemeName = 64
)

// check returns the refusal that the first wrong field deserves, or nil.
func check(p events.Policy) error {
	confirms := []string{ConfirmNone, ConfirmClick, ConfirmTypeDelete, ConfirmTypeKeyID}
	return cmp.Or(
		within("quota.max", int64(p.Quota.Max), 1, maxQuota),
		oneOf("quota.counts", p.Quota.Counts, CountActive, CountActiveAndDisabled),
		within("recycle.retention_seconds", p.Recycle.RetentionSeconds, 0, MaxSeconds),
		within("recycle.max_per_user", int64(p.Recycle.MaxPerUser), 0, MaxPerUser),
		oneOf("recycle.overflow", p.Recycle.Overflow, OverflowPurgeOldest, OverflowRefuse),
		within("delete.min_idle_seconds", p.Delete.MinIdleSeconds, 0, MaxSeconds),
		oneOf("delete.min_idle_mode", p.Delete.MinIdleMode, IdleWarn, IdleBlock),
		oneOf("confirm.disable", p.Confirm.Disable, confirms...),
		oneOf("confirm.enable", p.Confirm.Enable, confirms...),
		oneOf("confirm.delete", p.Confirm.Delete, confirms...),
		oneOf("root.create", p.Root.Create, RootAllow, RootWarn, RootDeny),
		oneOf("self_service", p.SelfService, SelfServiceOn, SelfServiceGrant, SelfServiceOff),
		schemes(p.Signature.Schemes),
		oneOf("network.precedence", p.Network.Precedence, NetworkReplace, NetworkIntersect),
		oneOf("leak.action", p.Leak.Action, LeakDenyAll, LeakDenyManagement),
		oneOf("leak.unrestrict", p.Leak.Unrestrict, UnrestrictAdmin, UnrestrictNever),
	)
}

func within(field string, n, low, high int64) error {
	if n >= low && n <= high {
		return nil
	}
	return invalid("%s is %d; want a whole number from %d to %d", field, n, low, high)
}

func oneOf(field, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return invalid("%s is %q; want one of %s", field, value, strings.Join(allowed, ", "))
}

var schemeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func schemes(names []string) error {
	if len(names) > maxSchemes {
		return invalid("signature.schemes names %d schemes; want at most %d", len(names), maxSchemes)
	}
	for i, name := range names {
		if len(name) > maxSchemeName || !schemeName.MatchString(name) {
			return invalid("signature.schemes names %q; want the name of a signature scheme, such as AWS4-HMAC-SHA256", name)
		}
		if slices.Contains(names[:i], name) {
			return invalid("signature.schemes names %q twice; want each scheme once", name)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return aggregate.Refuse(aggregate.Invalid, "policy.invalid", format, args...)
}
