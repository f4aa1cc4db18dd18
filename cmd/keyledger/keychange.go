package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/keyledger/keyledger/events"
)

// change is what every command that changes a key has in common.
type change struct {
	writing
	target
}

// confirmed is nil once the person has confirmed a change, as the policy of the key's account asks.
func (k change) confirmed(ctx context.Context, t *terminal, c *client, a asking, deed string, how func(events.Confirm) string) error {
	if a.Yes {
		return nil
	}
	account, err := k.known(ctx, c)
	if err != nil {
		return err
	}
	ask, err := c.confirmations(ctx, account)
	if err != nil {
		return err
	}
	return question{deed: deed + " the key " + k.Key, id: k.Key, how: how(ask)}.put(ctx, t)
}

// carryOut changes the key, shows it as it is now and says what can be done next.
func (k change) carryOut(ctx context.Context, t *terminal, c *client, call call) error {
	if err := k.inAccount(ctx, c); err != nil {
		return err
	}
	answer, err := k.write(ctx, c, call)
	if err != nil {
		return err
	}
	if err := t.show(answer, keyDetails); err != nil {
		return err
	}
	hintWarnings(t, answer)
	hintNext(t, answer, call)
	return nil
}

// ruleWarnings are what the rules mean that would rather not have had what was done; the answer has their names.
var ruleWarnings = map[string]string{
	"delete.min_idle": "the key was used more recently than its account's policy wants before a delete: keyledger key last-used %[1]s says when, and whoever uses it is refused now",
	"root.create":     "a root user does best without access keys: give them to users of its account",
}

// hintWarnings tells a person what the names of an answer's warnings mean.
func hintWarnings(t *terminal, answer json.RawMessage) {
	var k struct {
		AccessKeyID string   `json:"access_key_id"`
		Warnings    []string `json:"warnings"`
	}
	if t.json || json.Unmarshal(answer, &k) != nil {
		return
	}
	for _, rule := range k.Warnings {
		if text, known := ruleWarnings[rule]; known {
			t.warn("%s (%s)", strings.ReplaceAll(text, "%[1]s", k.AccessKeyID), rule)
		}
	}
}

func hintNext(t *terminal, answer json.RawMessage, call call) {
	var k struct {
		AccessKeyID string `json:"access_key_id"`
		UserID      string `json:"user_id"`
		Status      string `json:"status"`
		PurgeAt     string `json:"purge_at"`
	}
	if json.Unmarshal(answer, &k) != nil {
		return
	}
	switch {
	case k.Status == events.StatusDeleted:
		t.hint("it stays in the recycle bin until %s: keyledger key restore %s brings it back", readable(k.PurgeAt), k.AccessKeyID)
	case strings.HasSuffix(call.path, "/restrict"):
		t.hint("give whoever uses it another key, then disable and delete this one: keyledger key create --user %s", k.UserID)
	case k.Status == events.StatusDisabled && strings.HasSuffix(call.path, "/restore"):
		t.hint("a restored key is disabled: keyledger key enable %s lets it work again", k.AccessKeyID)
	}
}

type keyDisable struct {
	change
	asking
	Reason string `empty:"" placeholder:"TEXT" help:"Why; at most 256 characters."`
}

func (k *keyDisable) Run(ctx context.Context, t *terminal, c *client) error {
	body := given("status", events.StatusDisabled, "reason", k.Reason)
	if err := k.confirmed(ctx, t, c, k.asking, "Disable", func(p events.Confirm) string { return p.Disable }); err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPatch, path: k.path(), body: body})
}

type keyEnable struct {
	change
	asking
}

// Run asks only where somebody can answer: enabling destroys nothing.
func (k *keyEnable) Run(ctx context.Context, t *terminal, c *client) error {
	k.Yes = k.Yes || !t.interactive
	if err := k.confirmed(ctx, t, c, k.asking, "Enable", func(p events.Confirm) string { return p.Enable }); err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPatch, path: k.path(), body: map[string]string{"status": events.StatusActive}})
}

type keyDelete struct {
	change
	asking
}

func (k *keyDelete) Run(ctx context.Context, t *terminal, c *client) error {
	if err := k.confirmed(ctx, t, c, k.asking, "Delete", func(p events.Confirm) string { return p.Delete }); err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodDelete, path: k.path()})
}

type keyPurge struct {
	change
	asking
}

func (k *keyPurge) Run(ctx context.Context, t *terminal, c *client) error {
	if err := k.confirmed(ctx, t, c, k.asking, "Purge for ever", func(p events.Confirm) string { return p.Delete }); err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPost, path: k.path() + "/purge"})
}

type keyRestore struct{ change }

func (k *keyRestore) Run(ctx context.Context, t *terminal, c *client) error {
	return k.carryOut(ctx, t, c, call{method: http.MethodPost, path: k.path() + "/restore"})
}

type keyDescribe struct {
	change
	Description string `arg:"" empty:"" help:"At most 256 characters on one line; empty removes it."`
}

func (k *keyDescribe) Run(ctx context.Context, t *terminal, c *client) error {
	return k.carryOut(ctx, t, c, call{method: http.MethodPatch, path: k.path(), body: map[string]string{"description": k.Description}})
}

type keyRestrict struct {
	change
	Reason  string `empty:"" placeholder:"TEXT" help:"Why; at most 256 characters."`
	FoundIn string `empty:"" name:"found-in" placeholder:"PLACE" help:"Where its secret was seen, such as a URL; at most 1024 characters."`
}

// Run asks nothing: it has to be quick, and what it does is no more than to disable.
func (k *keyRestrict) Run(ctx context.Context, t *terminal, c *client) error {
	return k.carryOut(ctx, t, c, call{method: http.MethodPost, path: k.path() + "/restrict", body: given("reason", k.Reason, "found_in", k.FoundIn)})
}

type keyUnrestrict struct {
	change
	Reason string `empty:"" placeholder:"TEXT" help:"Why; at most 256 characters."`
}

func (k *keyUnrestrict) Run(ctx context.Context, t *terminal, c *client) error {
	return k.carryOut(ctx, t, c, call{method: http.MethodPost, path: k.path() + "/unrestrict", body: given("reason", k.Reason)})
}
