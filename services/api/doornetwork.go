package api

import (
	"context"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
)

// NetworkPolicy is a key's own.
func (k doorKeys) NetworkPolicy(ctx context.Context, of dialect.Owner, accessKeyID string) (dialect.NetworkPolicy, error) {
	_, found, err := k.find(ctx, permission.KeyRead, of, accessKeyID, lives)
	return doorNetwork(found.Network), err
}

// SetNetworkPolicy gives a key one of its own.
func (k doorKeys) SetNetworkPolicy(ctx context.Context, of dialect.Owner, accessKeyID string, p dialect.NetworkPolicy) error {
	return k.changeAs(ctx, permission.KeyNetwork, of, accessKeyID, lives, func(req ledger.Request, id events.AccessKeyID) (ledger.Outcome, error) {
		return k.Ledger.SetKeyNetworkPolicy(ctx, req, id, networkOf(p))
	})
}

// AccountNetworkPolicy is that of the caller's account.
func (k doorKeys) AccountNetworkPolicy(ctx context.Context) (dialect.NetworkPolicy, error) {
	if err := k.mayAccount(ctx, permission.AccountRead); err != nil {
		return dialect.NetworkPolicy{}, err
	}
	a, _, err := k.Queries.Account(inboundOf(ctx).caller.Account)
	return doorNetwork(a.Network), k.failed(ctx, err)
}

// SetAccountNetworkPolicy sets that of the caller's account.
func (k doorKeys) SetAccountNetworkPolicy(ctx context.Context, p dialect.NetworkPolicy) error {
	if err := k.mayAccount(ctx, permission.AccountNetwork); err != nil {
		return err
	}
	_, err := k.accountNetwork(ctx, inboundOf(ctx).caller.Account, networkOf(p))
	return k.failed(ctx, err)
}

func (k doorKeys) mayAccount(ctx context.Context, op permission.Operation) error {
	c := inboundOf(ctx).caller
	if c.May(op, permission.Target{Account: c.Account}) != permission.Allowed {
		return k.failed(ctx, &dialect.Fault{Kind: dialect.Denied})
	}
	return nil
}

func doorNetwork(p events.NetworkPolicy) dialect.NetworkPolicy {
	out := dialect.NetworkPolicy{Active: p.Status == events.NetworkActive}
	for _, s := range p.Statements {
		out.Statements = append(out.Statements, dialect.NetworkStatement{VPC: s.VPC, Addresses: s.Addresses})
	}
	return out
}

func networkOf(p dialect.NetworkPolicy) events.NetworkPolicy {
	out := events.NetworkPolicy{Status: events.NetworkInactive}
	if p.Active {
		out.Status = events.NetworkActive
	}
	for _, s := range p.Statements {
		kind := events.NetworkAddress
		if s.VPC != "" {
			kind = events.NetworkVPC
		}
		out.Statements = append(out.Statements, events.NetworkStatement{Type: kind, VPC: s.VPC, Addresses: s.Addresses})
	}
	return out
}
