package policy

import (
	"slices"
	"time"

	"github.com/keyledger/keyledger/events"
)

// Default is the preset of an account that names none.
const Default = "strict"

// A Preset is a named policy to start from.
type Preset struct {
	Name    string
	Summary string // one sentence, for people who choose
	Policy  events.Policy
}

const (
	day  = 24 * 60 * 60 // seconds
	week = 7 * day
)

// presets is THE TABLE: how the vendors differ, and nothing else.
var presets = []Preset{
	{
		Name:    "huawei",
		Summary: "Huawei Cloud IAM: two keys, disabled before they are deleted for good.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 2, Counts: CountActiveAndDisabled},
			Recycle:     noBin,
			Delete:      events.DeleteRule{RequiresDisabled: true, MinIdleSeconds: week, MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmClick, Delete: ConfirmTypeDelete},
			Root:        events.RootRule{Create: RootWarn},
			SelfService: SelfServiceOn,
			Network:     events.NetworkRule{Precedence: NetworkReplace},
			Leak:        ourLeakRule,
		},
	},
	{
		Name:    "cdnetworks",
		Summary: "CDNetworks: five keys per login, managed by the account unless a user is granted it.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 5, Counts: CountActiveAndDisabled},
			Recycle:     noBin,
			Delete:      events.DeleteRule{MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmNone, Delete: ConfirmClick},
			Root:        events.RootRule{Create: RootAllow},
			SelfService: SelfServiceGrant,
			Network:     events.NetworkRule{Precedence: NetworkReplace},
			Leak:        ourLeakRule,
		},
	},
	{
		Name:    "tencent",
		Summary: "Tencent Cloud CAM: two keys, disabled before they are deleted for good.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 2, Counts: CountActiveAndDisabled},
			Recycle:     noBin,
			Delete:      events.DeleteRule{RequiresDisabled: true, MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmNone, Delete: ConfirmClick},
			Root:        events.RootRule{Create: RootWarn},
			SelfService: SelfServiceOn,
			Network:     events.NetworkRule{Precedence: NetworkReplace},
			Leak:        ourLeakRule,
		},
	},
	{
		Name:    "obs",
		Summary: "Huawei OBS: two active keys, any number of disabled ones.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 2, Counts: CountActive},
			Recycle:     noBin,
			Delete:      events.DeleteRule{MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmNone, Delete: ConfirmClick},
			Root:        events.RootRule{Create: RootAllow},
			SelfService: SelfServiceOn,
			Network:     events.NetworkRule{Precedence: NetworkReplace},
			Leak:        ourLeakRule,
		},
	},
	{
		Name:    "alibaba",
		Summary: "Alibaba Cloud RAM: two keys and a recycle bin of three that keeps them 30 days, not for root.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 2, Counts: CountActiveAndDisabled},
			Recycle:     events.Recycle{RetentionSeconds: 30 * day, MaxPerUser: 3, Overflow: OverflowPurgeOldest},
			Delete:      events.DeleteRule{RequiresDisabled: true, MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmNone, Delete: ConfirmTypeKeyID},
			Root:        events.RootRule{Create: RootWarn},
			SelfService: SelfServiceOn,
			Network:     events.NetworkRule{Precedence: NetworkReplace},
			Leak:        events.LeakRule{Action: LeakDenyManagement, Unrestrict: UnrestrictNever},
		},
	},
	{
		Name:    "strict",
		Summary: "The default: two keys, disabled before they are deleted, a recycle bin of ten that keeps them 30 days.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 2, Counts: CountActiveAndDisabled},
			Recycle:     events.Recycle{RetentionSeconds: 30 * day, MaxPerUser: 10, Overflow: OverflowRefuse, AppliesToRoot: true},
			Delete:      events.DeleteRule{RequiresDisabled: true, MinIdleSeconds: week, MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmClick, Delete: ConfirmTypeKeyID},
			Root:        events.RootRule{Create: RootWarn},
			SelfService: SelfServiceOn,
			Network:     events.NetworkRule{Precedence: NetworkIntersect},
			Leak:        ourLeakRule,
		},
	},
	{
		Name:    "aws",
		Summary: "AWS IAM: two keys, deleted for good without being disabled first.",
		Policy: events.Policy{
			Quota:       events.Quota{Max: 2, Counts: CountActiveAndDisabled},
			Recycle:     noBin,
			Delete:      events.DeleteRule{MinIdleMode: IdleWarn},
			Confirm:     events.Confirm{Disable: ConfirmClick, Enable: ConfirmNone, Delete: ConfirmTypeKeyID},
			Root:        events.RootRule{Create: RootWarn},
			SelfService: SelfServiceOn,
			Network:     events.NetworkRule{Precedence: NetworkReplace},
			Leak:        events.LeakRule{Action: LeakDenyManagement, Unrestrict: UnrestrictAdmin},
		},
	},
}

// noBin purges at once. What it says besides counts only once an override
// gives the account a retention.
var noBin = events.Recycle{Overflow: OverflowPurgeOldest, AppliesToRoot: true}

// ourLeakRule is that of every preset whose vendor has none of its own, and what a policy
// means that was recorded before there were any.
var ourLeakRule = events.LeakRule{Action: LeakDenyAll, Unrestrict: UnrestrictAdmin}

// Presets is every preset, in the order in which people are shown them. The caller
// owns what it gets.
func Presets() []Preset {
	out := slices.Clone(presets)
	for i := range out {
		out[i].Policy = clone(out[i].Policy)
	}
	return out
}

// Names is the name of every preset, in the order of Presets.
func Names() []string {
	out := make([]string, len(presets))
	for i, p := range presets {
		out[i] = p.Name
	}
	return out
}

// clone copies what a policy shares with its copies: its slices.
func clone(p events.Policy) events.Policy {
	p.Signature.Schemes = slices.Clone(p.Signature.Schemes)
	return p
}

// Retention is how long p's recycle bin keeps a key; zero if there is no bin.
func Retention(p events.Policy) time.Duration {
	return time.Duration(p.Recycle.RetentionSeconds) * time.Second
}

// MinIdle is how long a key must have been unused before it is deleted; zero if
// p does not care.
func MinIdle(p events.Policy) time.Duration {
	return time.Duration(p.Delete.MinIdleSeconds) * time.Second
}

// LeakDenies says whether a restricted key is refused every use under p, not just requests to
// the ledger itself.
func LeakDenies(p events.Policy) bool { return p.Leak.Action != LeakDenyManagement }

// MayUnrestrict says whether the restriction of a key can be ended under p.
func MayUnrestrict(p events.Policy) bool { return p.Leak.Unrestrict != UnrestrictNever }
