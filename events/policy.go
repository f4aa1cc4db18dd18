package events

// A Policy is what an account allows concerning a key's life, whole: a preset
// with its overrides applied. It is recorded with every change, so that the rule of
// any moment can be read from the log alone.
type Policy struct {
	Quota       Quota      `json:"quota"`
	Recycle     Recycle    `json:"recycle"`
	Delete      DeleteRule `json:"delete"`
	Confirm     Confirm    `json:"confirm"`
	Root        RootRule   `json:"root"`
	SelfService string     `json:"self_service"` // "on", "grant" (needs GrantManageOwnKeys) or "off"
	Signature   Signature  `json:"signature"`
	// Network is zero in policies that were recorded before there was the field; it means "replace" then.
	Network NetworkRule `json:"network,omitzero"`
	// Leak is zero in policies that were recorded before there was the field; it means "deny-all" and "admin" then.
	Leak LeakRule `json:"leak,omitzero"`
}

// Quota bounds the keys of one user.
type Quota struct {
	Max    int    `json:"max"`    // 1 to 100
	Counts string `json:"counts"` // "active" or "active+disabled"; keys in the recycle bin never count
}

// Recycle is the recycle bin.
type Recycle struct {
	RetentionSeconds int64  `json:"retention_seconds"` // 0: no bin, deleting purges at once; at most 10 years
	MaxPerUser       int    `json:"max_per_user"`      // 0: no bound
	Overflow         string `json:"overflow"`          // "purge-oldest" or "refuse"
	AppliesToRoot    bool   `json:"applies_to_root"`   // false: keys of the root user are purged at once
}

// DeleteRule is what deleting asks for.
type DeleteRule struct {
	RequiresDisabled bool   `json:"requires_disabled"`
	MinIdleSeconds   int64  `json:"min_idle_seconds"` // 0: no rule; a never-used key has none either
	MinIdleMode      string `json:"min_idle_mode"`    // "warn" or "block"
}

// Confirm says what a person is asked before an action: "none", "click",
// "type:DELETE" or "type:key_id". Programs are not asked.
type Confirm struct {
	Disable string `json:"disable"`
	Enable  string `json:"enable"`
	Delete  string `json:"delete"`
}

// RootRule is about keys of the root user.
type RootRule struct {
	Create string `json:"create"` // "allow", "warn" or "deny"; the key made at opening is exempt
}

// Signature narrows which signature schemes an account's keys may use.
type Signature struct {
	Schemes []string `json:"schemes,omitempty"` // empty: every scheme
}

// NetworkRule says how the account's network policy and a key's own go together.
type NetworkRule struct {
	Precedence string `json:"precedence"` // "replace": an active one of the key is asked alone; "intersect": both have to allow
}

// LeakRule is about restricted keys: those of which there is reason to think that somebody
// else knows the secret.
type LeakRule struct {
	// Action is what such a key is refused: "deny-all" is every use; "deny-management" is
	// requests to the ledger itself, while gateways are told that the key is restricted.
	Action     string `json:"action"`
	Unrestrict string `json:"unrestrict"` // who may end it: "admin", or "never": the key has to be replaced
}
