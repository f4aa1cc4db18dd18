package permission_test

import (
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/permission"
)

const (
	own     events.AccountID = "111111111111"
	other   events.AccountID = "222222222222"
	self    events.UserID    = "100000000000000001"
	someone events.UserID    = "100000000000000002"
)

func caller(kind, role string, operator bool, selfService string, grants ...string) permission.Caller {
	return permission.Caller{Account: own, User: self, Kind: kind, Role: role, Operator: operator, SelfService: selfService, Grants: grants}
}

// TestMay is the whole table: role x operation x own user, another user of the
// account, another account. A = allowed, d = denied, h = hidden.
func TestMay(t *testing.T) {
	callers := map[string]permission.Caller{
		"operator root":    caller(events.KindRoot, events.RoleAdmin, true, "on"),
		"operator admin":   caller(events.KindUser, events.RoleAdmin, true, "on"),
		"operator auditor": caller(events.KindUser, events.RoleAuditor, true, "on"),
		"operator user":    caller(events.KindUser, events.RoleUser, true, "on"),
		"root":             caller(events.KindRoot, events.RoleAdmin, false, "on"),
		"admin":            caller(events.KindUser, events.RoleAdmin, false, "on"),
		"auditor":          caller(events.KindUser, events.RoleAuditor, false, "on"),
		"user":             caller(events.KindUser, events.RoleUser, false, "on"),
		"user, off":        caller(events.KindUser, events.RoleUser, false, "off"),
		"user, no grant":   caller(events.KindCollaborator, events.RoleUser, false, "grant"),
		"user, granted":    caller(events.KindUser, events.RoleUser, false, "grant", events.GrantManageOwnKeys),
		"no role":          caller(events.KindUser, "", false, "on"),
	}
	ops := []permission.Operation{
		permission.AccountOpen, permission.AccountRead, permission.AccountPolicy, permission.UserWrite, permission.UserRead,
		permission.UserList, permission.AccountNetwork, permission.KeyNetwork, permission.KeyWrite, permission.KeyRead, permission.KeyList, permission.AuditRead,
		permission.GatewayWrite, permission.GatewayList, permission.Operate, permission.KeyExplain,
	}
	// For each caller and operation in the order above: own user, another user, another account.
	want := map[string]string{
		"operator root":    "AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAh",
		"operator admin":   "AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAA AAh",
		"operator auditor": "ddd AAh ddh ddh AAh AAh ddh ddh ddh AAh AAh AAh ddh AAh ddd ddh",
		"operator user":    "ddd ddh ddh ddh Ahh ddh ddh dhh Ahh Ahh ddh ddh ddh ddh ddd ddh",
		"root":             "ddd AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh ddd AAh",
		"admin":            "ddd AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh AAh ddd AAh",
		"auditor":          "ddd AAh ddh ddh AAh AAh ddh ddh ddh AAh AAh AAh ddh AAh ddd ddh",
		"user":             "ddd ddh ddh ddh Ahh ddh ddh dhh Ahh Ahh ddh ddh ddh ddh ddd ddh",
		"user, off":        "ddd ddh ddh ddh Ahh ddh ddh dhh dhh Ahh ddh ddh ddh ddh ddd ddh",
		"user, no grant":   "ddd ddh ddh ddh Ahh ddh ddh dhh dhh Ahh ddh ddh ddh ddh ddd ddh",
		"user, granted":    "ddd ddh ddh ddh Ahh ddh ddh dhh Ahh Ahh ddh ddh ddh ddh ddd ddh",
		"no role":          "ddd ddh ddh ddh Ahh ddh ddh dhh Ahh Ahh ddh ddh ddh ddh ddd ddh",
	}
	targets := []permission.Target{{Account: own, User: self}, {Account: own, User: someone}, {Account: other, User: self}}
	letter := map[permission.Verdict]byte{permission.Allowed: 'A', permission.Denied: 'd', permission.Hidden: 'h'}
	for name, c := range callers {
		var got []byte
		for i, op := range ops {
			if i > 0 {
				got = append(got, ' ')
			}
			for _, target := range targets {
				got = append(got, letter[c.May(op, target)])
			}
		}
		if string(got) != want[name] {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want[name])
		}
	}
}
