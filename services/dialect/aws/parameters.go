package aws

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// Shapes of the parameters of the access-key operations.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html
var (
	userNameShape = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	keyIDShape    = regexp.MustCompile(`^\w{16,128}$`)
)

const (
	maxMarker    = 320 // characters
	maxItems     = 1000
	defaultItems = 100
)

// userName returns the user named, or "" if none is: then it is the caller.
func (f form) userName() (string, error) {
	name, given := f["UserName"]
	if given && !userNameShape.MatchString(name) {
		return "", invalid("userName", `Member must satisfy regular expression pattern: [\w+=,.@-]{1,128}`)
	}
	return name, nil
}

func (f form) accessKeyID() (string, error) {
	id, given := f["AccessKeyId"]
	if !given {
		return "", invalid("accessKeyId", "Member must not be null")
	}
	if !keyIDShape.MatchString(id) {
		return "", invalid("accessKeyId", `Member must satisfy regular expression pattern: \w{16,128}`)
	}
	return id, nil
}

func (f form) active() (bool, error) {
	switch status, given := f["Status"]; {
	case !given:
		return false, invalid("status", "Member must not be null")
	case status == "Active", status == "Inactive":
		return status == "Active", nil
	case status == "Expired":
		return false, &refusal{http.StatusBadRequest, "InvalidInput", "A key cannot be made Expired. Status must be Active or Inactive."}
	}
	return false, invalid("status", "Member must satisfy enum value set: [Active, Inactive]")
}

func (f form) marker() (string, error) {
	marker, given := f["Marker"]
	if given && (marker == "" || len(marker) > maxMarker) {
		return "", invalid("marker", fmt.Sprintf("Member must have length between 1 and %d", maxMarker))
	}
	return marker, nil
}

func (f form) limit() (int, error) {
	text, given := f["MaxItems"]
	if !given {
		return defaultItems, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxItems {
		return 0, invalid("maxItems", fmt.Sprintf("Member must be a number from 1 to %d", maxItems))
	}
	return n, nil
}

// userAndKey reads what every operation on one key has.
func (f form) userAndKey() (user, id string, err error) {
	if user, err = f.userName(); err != nil {
		return "", "", err
	}
	id, err = f.accessKeyID()
	return user, id, err
}

func invalid(member, constraint string) error {
	return &refusal{http.StatusBadRequest, "ValidationError",
		"1 validation error detected: Value at '" + member + "' failed to satisfy constraint: " + constraint}
}
