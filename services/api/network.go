package api

import (
	"context"
	"net/netip"
	"slices"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
)

// NetworkStatement is a statement of a network policy. It is exported for huma alone.
type NetworkStatement struct {
	Type      string   `json:"type" enum:"address,vpc" doc:"vpc: for requests through a private network; which one a request came through is not known here, so that only any can allow something"`
	VPC       string   `json:"vpc,omitempty" maxLength:"64" doc:"of type vpc: the network's ID, or any"`
	Addresses []string `json:"addresses" minItems:"1" maxItems:"50" nullable:"false" doc:"IPv4 and IPv6 addresses and CIDR prefixes"`
}

// networkShape is a network policy. Inactive without statements is what one that was never
// set looks like.
type networkShape struct {
	Status     string             `json:"status" enum:"active,inactive" doc:"active: requests from elsewhere are denied"`
	Statements []NetworkStatement `json:"statements" maxItems:"8" nullable:"false" doc:"one that allows is enough; an active policy needs one at least"`
}

func shapeNetwork(p events.NetworkPolicy) networkShape {
	p = policy.KeptNetwork(p)
	out := networkShape{Status: p.Status, Statements: []NetworkStatement{}}
	for _, s := range p.Statements {
		out.Statements = append(out.Statements, NetworkStatement(s))
	}
	return out
}

func (n networkShape) policy() events.NetworkPolicy {
	out := events.NetworkPolicy{Status: n.Status}
	for _, s := range n.Statements {
		out.Statements = append(out.Statements, events.NetworkStatement(s))
	}
	return out
}

func (s *server) showAccountNetworkPolicy(ctx context.Context, in *accountPath) (*read[networkShape], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.AccountRead, in.AccountID)
	if err != nil {
		return nil, err
	}
	return &read[networkShape]{shapeNetwork(a.Network)}, nil
}

type setAccountNetworkInput struct {
	AccountID string `path:"account_id" pattern:"^[1-9][0-9]{11}$"`
	Body      networkShape
}

func (s *server) setAccountNetworkPolicy(ctx context.Context, in *setAccountNetworkInput) (*written[networkShape], error) {
	a, err := s.account(ctx, permission.AccountNetwork, in.AccountID)
	if err != nil {
		return nil, err
	}
	out, err := s.accountNetwork(ctx, a.ID, in.Body.policy())
	if err != nil {
		return nil, err
	}
	a, _, err = s.Queries.Account(a.ID)
	return &written[networkShape]{Position: uint64(out.Position), Body: shapeNetwork(a.Network)}, err
}

// accountNetwork sets an account's network policy, unless it would lock out whoever sets it:
// nobody of the account could take it back from where he is.
func (s *server) accountNetwork(ctx context.Context, a events.AccountID, p events.NetworkPolicy) (ledger.Outcome, error) {
	in := inboundOf(ctx)
	if err := policy.CheckNetwork(p); err != nil {
		return ledger.Outcome{}, err
	}
	from, active := policy.Sources(p)
	source, _ := netip.ParseAddr(in.request.SourceIP)
	if active && in.caller.Account == a && !slices.ContainsFunc(from, func(p netip.Prefix) bool { return p.Contains(source.Unmap()) }) {
		return ledger.Outcome{}, aggregate.Refuse(aggregate.Conflict, "network_policy.locks_out",
			"the policy does not allow the address that this request came from, %q; allow it too, or ask from an address that it allows", in.request.SourceIP)
	}
	return s.Ledger.SetNetworkPolicy(ctx, in.request, a, p)
}

type showKeyNetworkInput struct {
	KeyPath
	MinPosition uint64 `query:"min_position" doc:"answer only when this position of the log is known"`
}

func (s *server) showKeyNetworkPolicy(ctx context.Context, in *showKeyNetworkInput) (*read[networkShape], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	k, err := s.key(ctx, permission.KeyRead, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	return &read[networkShape]{shapeNetwork(k.Network)}, nil
}

type setKeyNetworkInput struct {
	KeyPath
	Body networkShape
}

func (s *server) setKeyNetworkPolicy(ctx context.Context, in *setKeyNetworkInput) (*written[networkShape], error) {
	k, err := s.key(ctx, permission.KeyNetwork, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	out, err := s.Ledger.SetKeyNetworkPolicy(ctx, inboundOf(ctx).request, k.ID, in.Body.policy())
	if err != nil {
		return nil, err
	}
	k, _, err = s.Queries.Key(k.ID)
	return &written[networkShape]{Position: uint64(out.Position), Body: shapeNetwork(k.Network)}, err
}
