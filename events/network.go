package events

// Statuses of a network policy.
const (
	NetworkActive   = "active"   // requests from elsewhere are denied
	NetworkInactive = "inactive" // kept, and without effect
)

// Types of a network statement.
const (
	NetworkAddress = "address" // by the source address alone
	NetworkVPC     = "vpc"     // by the private network that a request came through, and the address in it
)

// NetworkAnyVPC is the VPC of a statement that means every private network.
const NetworkAnyVPC = "any"

// A NetworkPolicy says from where access keys may be used: an account's says it of
// all its keys, a key's own of that key. The zero value was never set.
type NetworkPolicy struct {
	Status     string             `json:"status"`               // "active" or "inactive"
	Statements []NetworkStatement `json:"statements,omitempty"` // at most 8; one that allows is enough
}

// A NetworkStatement allows some sources.
type NetworkStatement struct {
	Type      string   `json:"type"`          // "address" or "vpc"
	VPC       string   `json:"vpc,omitempty"` // of type "vpc": the network's ID, or "any"
	Addresses []string `json:"addresses"`     // 1 to 50 of IPv4 and IPv6 addresses and CIDR prefixes
}

// IsZero says whether the policy was never set.
func (p NetworkPolicy) IsZero() bool { return p.Status == "" && len(p.Statements) == 0 }

// AccountNetworkPolicySet records an account's new network policy. What it says replaces
// what was said before.
type AccountNetworkPolicySet struct {
	Account       AccountID     `json:"account_id"`
	NetworkPolicy NetworkPolicy `json:"network_policy"`
}

// KeyNetworkPolicySet records a key's own new network policy.
type KeyNetworkPolicySet struct {
	Key           AccessKeyID   `json:"access_key_id"`
	NetworkPolicy NetworkPolicy `json:"network_policy"`
}

func (AccountNetworkPolicySet) Kind() string { return "account.network.policy.set" }
func (KeyNetworkPolicySet) Kind() string     { return "key.network.policy.set" }

func (e AccountNetworkPolicySet) About() string { return string(e.Account) }
func (e KeyNetworkPolicySet) About() string     { return string(e.Key) }

func (AccountNetworkPolicySet) event() {}
func (KeyNetworkPolicySet) event()     {}
