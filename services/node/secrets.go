package node

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"
)

// secretsEvery is how often every secret is opened once.
const secretsEvery = 24 * time.Hour

// The check works for a while and rests for much longer: those who ask the
// ledger something must not notice it.
const (
	workSpell = 300 * time.Microsecond
	restSpell = 3 * time.Millisecond
)

// gently is seq with rests in between, until ctx ends.
func gently[T any](ctx context.Context, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		rest := time.NewTimer(restSpell)
		defer rest.Stop()
		begun := time.Now()
		for v, err := range seq {
			if !yield(v, err) {
				return
			}
			if time.Since(begun) < workSpell {
				continue
			}
			rest.Reset(restSpell)
			select {
			case <-rest.C:
			case <-ctx.Done():
				return
			}
			begun = time.Now()
		}
	}
}

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
		r, err := n.vault.Check(ctx, gently(ctx, n.views.Sealed()))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			n.secrets.set("could not be checked: " + err.Error())
			n.config.Logger.Error("the secrets could not be checked", "error", err)
		case r.Failed > 0:
			n.secrets.set(fmt.Sprintf("%d of %d keys have no secret that opens (the log of the server names the first)", r.Failed, r.Keys))
			n.config.Logger.Error("keys without a secret that opens", "failed", r.Failed, "keys", r.Keys, "first", r.Failures[0].Key)
		default:
			n.secrets.set(fmt.Sprintf("opened for all keys (%d), last at %s", r.Keys, n.config.Now().UTC().Format(time.RFC3339)))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
