package journal

import (
	"bufio"
	"fmt"
	"regexp"
	"strings"

	"github.com/nats-io/nkeys"
)

// An OutletUser is a program that may read LEDGER and USED through an outlet. It
// proves who it is by the seed of its key, which nobody else has.
type OutletUser struct {
	Name string // for people
	Key  string // the public half of an NKey: U and 55 characters of base32
}

var outletName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// NewOutletUser draws a user and the seed that it signs with.
func NewOutletUser(name string) (u OutletUser, seed string, err error) {
	if !outletName.MatchString(name) {
		return u, "", fmt.Errorf("a name is 1 to 64 of A-Z a-z 0-9 . _ -")
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return u, "", err
	}
	defer pair.Wipe()
	text, err := pair.Seed()
	if err != nil {
		return u, "", err
	}
	public, err := pair.PublicKey()
	return OutletUser{Name: name, Key: public}, string(text), err
}

// ParseOutletUsers reads a file of users: "<name> <public key>" on each line; empty
// lines and those that begin with # say nothing. The error names the line.
func ParseOutletUsers(text string) ([]OutletUser, error) {
	var out []OutletUser
	names, keys := map[string]bool{}, map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		switch {
		case len(fields) != 2 || !outletName.MatchString(fields[0]):
			return nil, fmt.Errorf("line %d: want a name and a public key", n)
		case !nkeys.IsValidPublicUserKey(fields[1]):
			return nil, fmt.Errorf("line %d: this is not the public key of a NATS user, which begins with U", n)
		case names[fields[0]] || keys[fields[1]]:
			return nil, fmt.Errorf("line %d: the name or the key stands above already", n)
		}
		names[fields[0]], keys[fields[1]] = true, true
		out = append(out, OutletUser{Name: fields[0], Key: fields[1]})
	}
	return out, lines.Err()
}

// FormatOutletUsers is the inverse of ParseOutletUsers, without what says nothing.
func FormatOutletUsers(users []OutletUser) string {
	var b strings.Builder
	b.WriteString("# Who may read LEDGER and USED through --nats-listen: a name and a public key on each line.\n")
	for _, u := range users {
		fmt.Fprintf(&b, "%s %s\n", u.Name, u.Key)
	}
	return b.String()
}
