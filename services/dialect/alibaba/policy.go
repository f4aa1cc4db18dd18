package alibaba

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// A policyText is a network policy as the vendor writes it.
// https://www.alibabacloud.com/help/en/ram/user-guide/accesskey-network-access-restriction-policy
type policyText struct {
	Version    int
	Status     string
	Statements []statementText
}

type statementText struct {
	Type   string   // typeClassic or typeVPC
	Value  string   `json:",omitempty"` // of typeVPC: the network's ID, or anyVPC
	IPList []string // addresses and CIDR prefixes
}

// members are the names of all members of a policy.
var members = []string{"Version", "Status", "Statements", "Type", "Value", "IPList"}

// Words of network policies.
const (
	typeClassic = "ClassicWhiteList"
	typeVPC     = "VPCWhiteList"
	anyVPC      = "AllowAllVPC"
)

type policyResult struct {
	AccessKeyPolicy string // the text, as it is set
}

func setAccessKeyPolicy(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerAndKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	policy, err := p.policy()
	if err != nil {
		return nil, err
	}
	return nil, badForLedger(keys.SetNetworkPolicy(ctx, of, id, policy))
}

func getAccessKeyPolicy(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	of, id, err := p.ownerAndKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	policy, err := keys.NetworkPolicy(ctx, of, id)
	if err != nil {
		return nil, err
	}
	return policyResult{writePolicy(policy)}, nil
}

func setAccessKeyPolicyForAccount(ctx context.Context, p parameters, keys dialect.Keys) (any, error) {
	policy, err := p.policy()
	if err != nil {
		return nil, err
	}
	return nil, badForLedger(keys.SetAccountNetworkPolicy(ctx, policy))
}

func getAccessKeyPolicyForAccount(ctx context.Context, _ parameters, keys dialect.Keys) (any, error) {
	policy, err := keys.AccountNetworkPolicy(ctx)
	if err != nil {
		return nil, err
	}
	return policyResult{writePolicy(policy)}, nil
}

// policy reads the parameter AccessKeyPolicy. What its addresses and numbers may be is the
// ledger's to say.
func (p parameters) policy() (out dialect.NetworkPolicy, err error) {
	text := p.named["AccessKeyPolicy"]
	if text == "" {
		return out, missing("AccessKeyPolicy")
	}
	var given policyText
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&given); err != nil {
		return out, badPolicy("it is not a JSON object of Version, Status and Statements")
	}
	switch _, err := d.Token(); {
	case err != io.EOF:
		return out, badPolicy("something follows the JSON object")
	case !spelt(json.NewDecoder(strings.NewReader(text))):
		return out, badPolicy("each member must be there once, and be spelt Version, Status, Statements, Type, Value or IPList")
	case given.Version != 1:
		return out, badPolicy("Version must be 1")
	case given.Status != statusActive && given.Status != statusInactive:
		return out, badPolicy("Status must be Active or Inactive")
	case given.Statements == nil:
		return out, badPolicy("Statements must be a list; it may be empty")
	}
	out.Active = given.Status == statusActive
	for _, s := range given.Statements {
		one, err := s.read()
		if err != nil {
			return out, err
		}
		out.Statements = append(out.Statements, one)
	}
	return out, nil
}

// spelt says whether each member of a JSON value, which is known to be well formed and not deep, is there once
// and is spelt as the vendor spells it: two readers could otherwise take it for two policies. encoding/json takes a name
// in any case, and a long s for an s.
func spelt(d *json.Decoder) bool {
	begin, err := d.Token()
	if err != nil || begin != json.Delim('{') && begin != json.Delim('[') {
		return true
	}
	seen := map[string]bool{}
	for d.More() {
		if begin == json.Delim('{') {
			name, _ := d.Token()
			text, _ := name.(string)
			if seen[text] || !slices.Contains(members, text) {
				return false
			}
			seen[text] = true
		}
		if !spelt(d) {
			return false
		}
	}
	_, _ = d.Token() // the end
	return true
}

func (s statementText) read() (dialect.NetworkStatement, error) {
	out := dialect.NetworkStatement{Addresses: s.IPList}
	switch {
	case s.Type == typeClassic && s.Value == "":
	case s.Type == typeVPC && s.Value == anyVPC:
		out.VPC = dialect.AnyVPC
	case s.Type == typeVPC && s.Value != "" && s.Value != dialect.AnyVPC:
		out.VPC = s.Value
	case s.Type == typeVPC:
		return out, badPolicy("Value of a " + typeVPC + " must be the ID of a VPC or " + anyVPC)
	case s.Type == typeClassic:
		return out, badPolicy("a " + typeClassic + " has no Value")
	default:
		return out, badPolicy("Type must be " + typeClassic + " or " + typeVPC)
	}
	return out, nil
}

func badPolicy(what string) error {
	return &refusal{http.StatusBadRequest, "InvalidParameter.AccessKeyPolicy", "The specified AccessKeyPolicy is not valid: " + what + "."}
}

// badForLedger names the parameter in what the ledger says about the policy's addresses and numbers.
func badForLedger(err error) error {
	if f, ok := errors.AsType[*dialect.Fault](err); ok && f.Kind == dialect.Invalid && f.Detail != "" {
		return badPolicy(f.Detail)
	}
	return err
}

func writePolicy(p dialect.NetworkPolicy) string {
	text := policyText{Version: 1, Status: statusInactive, Statements: []statementText{}}
	if p.Active {
		text.Status = statusActive
	}
	for _, s := range p.Statements {
		one := statementText{Type: typeVPC, Value: s.VPC, IPList: s.Addresses}
		switch s.VPC {
		case "":
			one.Type = typeClassic
		case dialect.AnyVPC:
			one.Value = anyVPC
		}
		text.Statements = append(text.Statements, one)
	}
	out, _ := json.Marshal(text) // texts and lists of texts
	return string(out)
}
