// Package aggregate holds what the aggregates have in common: the way a rule
// says no. The rules themselves are in its folders, one per consistency
// boundary: keyring (one user's keys) and account (an account's own facts).
//
// Rules are pure: Decide and Evolve are functions of their arguments alone,
// with the time passed in, and nothing here knows a log, a disk or a network.
package aggregate

import "fmt"

// A RefusalKind says what the caller should make of a refusal.
type RefusalKind string

// Kinds of refusals. They are part of the API: add, never rename.
const (
	Invalid  RefusalKind = "invalid"   // the command makes no sense as it stands
	NotFound RefusalKind = "not_found" // what it is about does not exist
	Conflict RefusalKind = "conflict"  // the state does not allow it now; another command first
	Limit    RefusalKind = "limit"     // a bound of the policy is reached
	Denied   RefusalKind = "denied"    // the policy does not allow it
	Gone     RefusalKind = "gone"      // it existed and never will again
)

// A Refusal is a rule saying no. It is an answer, not a fault: nothing was
// written.
type Refusal struct {
	Kind   RefusalKind
	Rule   string // stable, for machines: "key.quota"
	Detail string // for people: what was wrong and what would be right
}

func (r *Refusal) Error() string { return r.Rule + ": " + r.Detail }

// Refuse makes a refusal.
func Refuse(kind RefusalKind, rule, format string, args ...any) error {
	return &Refusal{Kind: kind, Rule: rule, Detail: fmt.Sprintf(format, args...)}
}
