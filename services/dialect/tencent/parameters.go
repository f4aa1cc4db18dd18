package tencent

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/keyledger/keyledger/services/dialect"
)

// A call is what a request asks for.
type call struct {
	version    string
	parameters parameters
}

// parameters are the operation's own parameters by name.
type parameters map[string]value

// A value is one parameter: a text, or a list of texts.
type value struct {
	text   string
	list   []string
	isList bool
	number bool // the text was written as a JSON number
}

// maxBody bounds parameters, in bytes as sent; none of these operations needs more than four kilobytes.
const maxBody = 64 << 10

// readCall reads the parameters from where the kind of signature puts them: with v1 they are a form, the
// common ones among them; with TC3 the common ones are headers and the rest is JSON, or a form in
// the query of a GET.
func readCall(r *dialect.Request) (call, error) {
	if len(r.Body)+len(r.Query()) > maxBody {
		return call{}, &refusal{"RequestSizeLimitExceeded", "The parameters are longer than 65536 bytes."}
	}
	switch {
	case speaksV1(r):
		return readFormCall(formText(r))
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return call{}, &refusal{"UnsupportedProtocol", "Only GET and POST are served."}
	}
	version, there, err := header(r, "X-TC-Version")
	if err == nil && there {
		_, there, err = header(r, "X-TC-Action")
	}
	if err != nil {
		return call{}, err
	}
	if !there {
		return call{}, &refusal{"MissingParameter", "The headers X-TC-Action and X-TC-Version must both be sent."}
	}
	c := call{version: version}
	if r.Method == http.MethodGet {
		c.parameters, err = readForm(r.Query(), nil)
	} else {
		c.parameters, err = readJSON(r)
	}
	return c, err
}

// parametersV1 are those of every request that is signed by v1.
var parametersV1 = []string{
	"Action", "Version", "Timestamp", "Nonce", "SecretId", "Signature", "SignatureMethod", "Region", "Token", "Language", "RequestClient",
}

func readFormCall(text string) (call, error) {
	version, _ := peek(text, "Version")
	p, err := readForm(text, parametersV1)
	return call{version, p}, err
}

// readForm reads a form. Lists are flattened there: SecretIdList.0, SecretIdList.1 and so on, to 9: no list is longer.
// The parameters of the names without are left out.
func readForm(text string, without []string) (parameters, error) {
	pairs, err := parseForm(text, nil)
	if err != nil {
		return nil, err
	}
	p := parameters{}
	for i := range pairs {
		x := &pairs[i]
		if slices.Contains(without, x.Name) {
			continue
		}
		name, index, isList := strings.Cut(x.Name, ".")
		v := p[name]
		switch {
		case isList && index != strconv.Itoa(len(v.list)), isList && v.text != "", !isList && v.isList:
			return nil, invalid("The items of " + quotedName(name) + " must be numbered from 0 to 9, without a gap.")
		case isList:
			v.list, v.isList = append(v.list, x.Value()), true
		default:
			v.text = x.Value()
		}
		p[name] = v
	}
	return p, nil
}

// readJSON reads the body of a POST: one JSON object, each name once, of texts, numbers and lists of texts. null is as
// if it were not there, and so is an empty body.
func readJSON(r *dialect.Request) (parameters, error) {
	switch kind, _, _ := strings.Cut(r.Get("Content-Type"), ";"); strings.ToLower(strings.Trim(kind, " \t")) {
	case "application/json", "application/octet-stream":
	default:
		return nil, &refusal{"UnsupportedProtocol", "The Content-Type of a POST signed by TC3 must be application/json."}
	}
	p := parameters{}
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return p, nil
	}
	d := json.NewDecoder(bytes.NewReader(r.Body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') || !utf8.Valid(r.Body) {
		return nil, errJSON
	}
	seen := map[string]bool{}
	for d.More() {
		if err := p.readMember(d, seen); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err == nil || d.InputOffset() < int64(len(bytes.TrimRight(r.Body, " \t\r\n"))) {
		return nil, errJSON
	}
	return p, nil
}

var errJSON = &refusal{"InvalidParameter", "The body must be one JSON object in UTF-8."}

func (p parameters) readMember(d *json.Decoder, seen map[string]bool) error {
	t, err := d.Token()
	if err != nil {
		return errJSON
	}
	name := t.(string) // what the decoder gives in this place, or an error
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return errJSON
	}
	if seen[name] {
		return invalid("The parameter " + quotedName(name) + " was given more than once; give it once.")
	}
	seen[name] = true
	var v value
	switch raw[0] {
	case 'n':
		return nil
	case '"':
		err = json.Unmarshal(raw, &v.text)
	case '[':
		v.isList, err = true, json.Unmarshal(raw, &v.list)
	case '{', 't', 'f':
		err = errJSON
	default:
		v.text, v.number = string(raw), true
	}
	if err != nil {
		return invalid("The parameter " + quotedName(name) + " must be a text, a number or a list of texts.")
	}
	p[name] = v
	return nil
}

// only refuses parameters of other names.
func (p parameters) only(names []string) error {
	for name := range p {
		if !slices.Contains(names, name) {
			return &refusal{"UnknownParameter", "The parameter " + quotedName(name) + " is not one of this operation."}
		}
	}
	return nil
}

// Shapes of the parameters.
// https://www.tencentcloud.com/document/api/598/60618
var (
	keyIDShape       = regexp.MustCompile(`^[0-9A-Za-z_-]{3,128}$`) // as short as an imported ID may be
	descriptionShape = regexp.MustCompile(`^[\w+=,.@:/-]*$`)
)

const (
	maxDescription = 1024
	maxSecretIDs   = 10
)

// text returns a parameter that is a text.
func (p parameters) text(name string) (string, error) {
	if v := p[name]; v.isList || v.number {
		return "", invalid("The parameter `" + name + "` must be a text.")
	}
	return p[name].text, nil
}

// owner returns the user named, the caller if none is. The vendor's page writes TargetUin as a number and as a
// text; in JavaScript only a text holds 18 digits.
func (p parameters) owner() (dialect.Owner, error) {
	v, given := p["TargetUin"]
	if !given {
		return dialect.Owner{}, nil
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || v.isList || n < 1 || strconv.FormatInt(n, 10) != v.text {
		return dialect.Owner{}, invalid("TargetUin must be the user's ID in decimal digits.")
	}
	return dialect.Owner{ID: v.text}, nil
}

func (p parameters) accessKeyID() (string, error) {
	id, err := p.text("AccessKeyId")
	switch {
	case err != nil:
		return "", err
	case id == "":
		return "", missing("AccessKeyId")
	case !keyIDShape.MatchString(id):
		return "", invalid("AccessKeyId must be 3 to 128 letters, digits, '_' and '-'.")
	}
	return id, nil
}

// ownedKey reads what every operation on one key has.
func (p parameters) ownedKey() (of dialect.Owner, id string, err error) {
	if of, err = p.owner(); err != nil {
		return of, "", err
	}
	id, err = p.accessKeyID()
	return of, id, err
}

func (p parameters) active() (bool, error) {
	status, err := p.text("Status")
	switch {
	case err != nil:
		return false, err
	case status == "":
		return false, missing("Status")
	case status != statusActive && status != statusInactive:
		return false, invalid("Status must be Active or Inactive.")
	}
	return status == statusActive, nil
}

func (p parameters) description() (string, error) {
	text, err := p.text("Description")
	if err != nil {
		return "", err
	}
	if len(text) > maxDescription || !descriptionShape.MatchString(text) {
		return "", invalid("Description must be at most 1024 letters, digits and characters of +=,.@:/_-")
	}
	return text, nil
}

func (p parameters) secretIDs() ([]string, error) {
	v, given := p["SecretIdList"]
	if !given {
		return nil, missing("SecretIdList")
	}
	if !v.isList || len(v.list) == 0 || len(v.list) > maxSecretIDs {
		return nil, invalid("SecretIdList must be a list of 1 to 10 access key IDs.")
	}
	for _, id := range v.list {
		if !keyIDShape.MatchString(id) {
			return nil, invalid("Each of SecretIdList must be 3 to 128 letters, digits, '_' and '-'.")
		}
	}
	return v.list, nil
}

func missing(name string) error {
	return &refusal{"MissingParameter", "The parameter `" + name + "` must be given."}
}

func invalid(message string) error {
	return &refusal{"InvalidParameter.ParamError", message}
}
