package node

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// secretsEvery is how often every secret is opened once.
const secretsEvery = 24 * time.Hour

// A secretsCheck is what came of opening every secret.
type secretsCheck struct {
	mu   sync.Mutex
	text string
}

func (c *secretsCheck) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text == "" {
		return "not checked yet"
	}
	return c.text
}

func (c *secretsCheck) set(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = text
}

// checkSecrets holds, now and every day, that every key that was not purged
// has exactly one secret and that it opens.
func (n *Node) checkSecrets(ctx context.Context) {
	t := time.NewTicker(secretsEvery)
	defer t.Stop()
	for {
		r, err := n.vault.Check(ctx, n.views.Sealed())
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			n.secrets.set("could not be checked: " + err.Error())
			n.config.Logger.Error("the secrets could not be checked", "error", err)
		case r.Failed > 0:
			n.secrets.set(fmt.Sprintf("%d of %d keys have no secret that opens, first %s", r.Failed, r.Keys, r.Failures[0].Key))
			n.config.Logger.Error("keys without a secret that opens", "failed", r.Failed, "keys", r.Keys, "first", r.Failures[0].Key)
		default:
			n.secrets.set(fmt.Sprintf("each of %d keys has one that opens", r.Keys))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
