package alibaba

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// maxText bounds the parameters, in bytes as sent. The longest that any operation needs is
// a network policy of 400 addresses.
const maxText = 64 << 10

// parameters are what an operation is told, each name once.
type parameters struct {
	named  map[string]string
	format string
	ims    bool // of the version of IMS, which names users another way
}

// readParameters takes parameters from the query and, of a POST, from a form or a JSON
// object. A name given twice is refused: two readers could otherwise see two requests.
func readParameters(r *dialect.Request) (parameters, error) {
	p := parameters{named: map[string]string{}}
	if len(r.Query())+len(r.Body) > maxText {
		return p, &refusal{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The parameters are longer than 65536 bytes."}
	}
	pairs, err := appendPairs(nil, r.Query())
	kind := typeOf(r)
	if err == nil && kind == rpcForm {
		pairs, err = appendPairs(pairs, string(r.Body))
	}
	if err != nil {
		return p, err
	}
	for _, one := range pairs {
		if !p.add(one.Name, one.Value()) {
			return p, twice(one.Name)
		}
	}
	if kind == "application/json" && len(r.Body) > 0 {
		err = p.addJSON(r.Body)
	}
	p.format = p.named["Format"]
	return p, err
}

func (p parameters) add(name, value string) bool {
	_, there := p.named[name]
	p.named[name] = value
	return !there
}

func twice(name string) error {
	return &refusal{http.StatusBadRequest, "InvalidParameter", "The parameter " + printable(name) + " is given more than once."}
}

var errJSON = &refusal{http.StatusBadRequest, "InvalidParameter", "The body is not one JSON object of parameters."}

// addJSON adds the members of a JSON object: texts as they are, all else as it is written.
func (p parameters) addJSON(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errJSON
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return errJSON
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return errJSON
		}
		text := string(value)
		if text[0] == '"' && json.Unmarshal(value, &text) != nil {
			return errJSON
		}
		if text != "null" && !p.add(name.(string), text) {
			return twice(name.(string))
		}
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return errJSON
	}
	return nil
}

// Shapes of parameters. The vendor's user names have letters, digits and . - _; ours may
// have more.
var (
	nameShape = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]+$`)
	keyShape  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	userShape = regexp.MustCompile(`^[1-9][0-9]{17}$`)
)

// Longest names: of a user, and with the domain of a logon name.
const (
	maxUserName  = 64
	maxLogonName = 128
)

// domain is what the vendor puts behind user names: the logon name of a user is
// name@<account>.onaliyun.com.
func domain(account string) string { return "@" + account + ".onaliyun.com" }

// owner is the user that is named; the caller if none is. A logon name of the account's
// domain is the user's name before it.
func (p parameters) owner(ctx context.Context, keys dialect.Keys) (dialect.Owner, error) {
	field, longest := "UserName", maxUserName
	if p.ims {
		field, longest = "UserPrincipalName", maxLogonName
	}
	name := p.named[field]
	switch {
	case name == "":
		return dialect.Owner{}, nil
	case len(name) > longest:
		return dialect.Owner{}, &refusal{http.StatusBadRequest, "InvalidParameter." + field + ".Length", "The specified " + field + " is too long."}
	case !nameShape.MatchString(name):
		return dialect.Owner{}, &refusal{http.StatusBadRequest, "InvalidParameter." + field + ".InvalidChars", "The specified " + field + " contains invalid characters."}
	}
	if p.ims {
		name = strings.TrimSuffix(name, domain(keys.Caller(ctx).Account))
	}
	return dialect.Owner{Name: name}, nil
}

// logonName is what owner reads.
func logonName(name, account string) string {
	if strings.Contains(name, "@") {
		return name
	}
	return name + domain(account)
}

// ownerID is the user whose ID is given; the caller if none is.
func (p parameters) ownerID() (dialect.Owner, error) {
	id := p.named["UserId"]
	if id != "" && !userShape.MatchString(id) {
		return dialect.Owner{}, &refusal{http.StatusBadRequest, "InvalidParameter.UserId", "The specified UserId is not valid; it has 18 digits."}
	}
	return dialect.Owner{ID: id}, nil
}

func (p parameters) key() (string, error) {
	id := p.named["UserAccessKeyId"]
	switch {
	case id == "":
		return "", missing("UserAccessKeyId")
	case !keyShape.MatchString(id):
		return "", &refusal{http.StatusBadRequest, "InvalidParameter.UserAccessKeyId.InvalidChars", "The specified UserAccessKeyId contains invalid characters."}
	}
	return id, nil
}

// ownerAndKey reads what operations on one key have.
func (p parameters) ownerAndKey(ctx context.Context, keys dialect.Keys) (dialect.Owner, string, error) {
	of, err := p.owner(ctx, keys)
	if err != nil {
		return of, "", err
	}
	id, err := p.key()
	return of, id, err
}

// ownerIDAndKey reads what operations on one key in the recycle bin have.
func (p parameters) ownerIDAndKey() (dialect.Owner, string, error) {
	of, err := p.ownerID()
	if err != nil {
		return of, "", err
	}
	id, err := p.key()
	return of, id, err
}

func (p parameters) active() (bool, error) {
	switch p.named["Status"] {
	case statusActive:
		return true, nil
	case statusInactive:
		return false, nil
	case "":
		return false, missing("Status")
	}
	return false, &refusal{http.StatusBadRequest, "InvalidParameter.Status", "The specified Status is not valid; it must be Active or Inactive."}
}

const (
	statusActive   = "Active"
	statusInactive = "Inactive"
)

func missing(name string) error {
	return &refusal{http.StatusBadRequest, "MissingParameter", "The parameter " + name + " is missing."}
}

// printable is a name as an answer may show it.
func printable(name string) string {
	if len(name) > 64 || !nameShape.MatchString(name) {
		return "of that name"
	}
	return name
}
