package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/ledger"
)

// Recover makes a new key for the operator's root user, for whoever holds the
// unlock key and has lost every other. The ledger must not be running. The key is in
// the credentials file before it is in the log, and the log says how it came to be.
func Recover(ctx context.Context, c Config, credentialsFile string) (Credentials, error) {
	n := &Node{config: c.filled(), done: make(chan struct{})}
	var out Credentials
	err := n.open(ctx, false)
	if err == nil {
		out, err = n.recoverRoot(ctx, credentialsFile)
	}
	return out, errors.Join(err, n.Close())
}

func (n *Node) recoverRoot(ctx context.Context, file string) (Credentials, error) {
	k, err := n.ledger.DrawKey()
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{
		Endpoint: n.config.url(n.config.Listen), AccountID: string(n.in.Operator), UserID: string(n.in.Root),
		AccessKeyID: string(k.ID), SecretAccessKey: string(k.Secret.Reveal()),
	}
	if err := c.write(file); err != nil {
		return Credentials{}, fmt.Errorf("write the credentials: %w", err)
	}
	req := ledger.Request{Actor: events.ActorRecovery}
	_, err = n.ledger.Recover(ctx, req, events.KeyringSubject(n.in.Operator, n.in.Root), k)
	return c, err
}
