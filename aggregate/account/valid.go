package account

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
)

// Bounds of texts, in characters.
const (
	maxAccountName      = 128
	maxUserName         = 64
	maxReason           = 256
	maxGatewayTokenName = 64
)

func invalid(rule, format string, args ...any) error {
	return aggregate.Refuse(aggregate.Invalid, rule, format, args...)
}

func validAccount(id events.AccountID) error {
	if err := id.Valid(); err != nil {
		return invalid("account.id", "%v", err)
	}
	return nil
}

func validUser(id events.UserID) error {
	if err := id.Valid(); err != nil {
		return invalid("user.id", "%v", err)
	}
	return nil
}

// accountName is the name without the spaces around it.
func accountName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if !printable(name, maxAccountName) {
		return "", invalid("account.name", "the account name %q will not do; want 1 to %d printable characters", name, maxAccountName)
	}
	return name, nil
}

// printable says whether the text has 1 to n characters, all to be seen.
func printable(text string, n int) bool {
	if text == "" || !utf8.ValidString(text) || utf8.RuneCountInString(text) > n {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

var userName = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]+$`)

func validName(name string) error {
	if events.UserID(name).Valid() == nil {
		return invalid("user.name", "the user name %q is what a user's ID looks like, and both may stand where a user is meant; want another", name)
	}
	if len(name) <= maxUserName && userName.MatchString(name) {
		return nil
	}
	return invalid("user.name", "the user name %q will not do; want 1 to %d of letters, digits and + = , . @ _ -", name, maxUserName)
}

func validKind(kind string) error {
	switch kind {
	case events.KindUser, events.KindCollaborator:
		return nil
	case events.KindRoot:
		return aggregate.Refuse(aggregate.Conflict, "user.second_root", "an account has one root user, made when it opened; add a user or a collaborator")
	}
	return invalid("user.kind", "%q is not a kind of user; want user or collaborator", kind)
}

func validRole(role string) error {
	switch role {
	case events.RoleAdmin, events.RoleUser, events.RoleAuditor:
		return nil
	}
	return invalid("user.role", "%q is not a role; want admin, user or auditor", role)
}

func validGrant(grant string) error {
	if grant == events.GrantManageOwnKeys {
		return nil
	}
	return invalid("user.grant", "%q is not a grant; want %s", grant, events.GrantManageOwnKeys)
}

var projectionName = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

func validAcknowledge(c Acknowledge) error {
	switch {
	case !projectionName.MatchString(c.Projection):
		return invalid("acknowledge.projection", "%q is not the name of a projection; want 1 to 64 of a-z 0-9 . _ -", c.Projection)
	case c.Position == 0:
		return invalid("acknowledge.position", "no record is at position 0; want the position at which the projection stopped")
	case !printable(c.Reason, maxReason):
		return invalid("acknowledge.reason", "the reason will not do; want 1 to %d printable characters", maxReason)
	}
	return nil
}
