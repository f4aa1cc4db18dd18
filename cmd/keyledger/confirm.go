package main

import (
	"cmp"
	"context"
	"net/http"

	"github.com/keyledger/keyledger/events"
)

// Confirmations, as an account's policy names them.
const (
	confirmNone       = "none"
	confirmClick      = "click"
	confirmTypeDelete = "type:DELETE"
	confirmTypeID     = "type:key_id"
)

// asking holds the flag of every command that asks before it acts.
type asking struct {
	Yes bool `short:"y" help:"Do not ask for confirmation; for scripts."`
}

// likeDeletion asks as an account's policy asks before a key is deleted: what is done cannot be undone.
func (a asking) likeDeletion(ctx context.Context, t *terminal, c *client, of tenancy, deed, id string) error {
	if a.Yes {
		return nil
	}
	ask, err := c.confirmations(ctx, cmp.Or(of.Account, c.credentials.AccountID))
	if err != nil {
		return err
	}
	return question{deed: deed + " " + id, id: id, how: ask.Delete}.put(ctx, t)
}

// A question is what a person is asked before something is done.
type question struct {
	deed string // "Delete the key KLAK…"
	id   string // of what it is done to, to be typed where the policy says so
	how  string // the confirmation
}

// put asks the question and returns nil if the answer is yes. Where nobody can
// answer, nothing is done.
func (q question) put(ctx context.Context, t *terminal) error {
	if q.how == confirmNone {
		return nil
	}
	if !t.interactive {
		return usage("%s: this asks for confirmation, and standard input is no terminal; give --yes if it is meant", q.deed)
	}
	prompt, want := q.deed+"? Type "+q.id+" to go on: ", q.id // what is not known here is confirmed the strictest way
	switch q.how {
	case confirmClick:
		prompt, want = q.deed+"? [y/N] ", "y"
	case confirmTypeDelete:
		prompt, want = q.deed+"? Type DELETE to go on: ", "DELETE"
	}
	answer, err := t.ask(ctx, prompt)
	if err != nil {
		return err
	}
	if answer == want || want == "y" && (answer == "Y" || answer == "yes") {
		return nil
	}
	return fail(exitRefused, codeNotConfirmed, "not confirmed; nothing was done")
}

// confirmations is what the policy of an account asks before things are done.
// Who may see neither the account nor that it is his own is asked the strictest way.
func (c *client) confirmations(ctx context.Context, account string) (events.Confirm, error) {
	strictest := events.Confirm{Disable: confirmClick, Enable: confirmClick, Delete: confirmTypeID}
	var own struct {
		AccountID string         `json:"account_id"`
		Confirm   events.Confirm `json:"confirm"`
	}
	if err := c.readInto(ctx, "/v1/caller", nil, &own); err != nil {
		return strictest, err
	}
	if own.AccountID == account {
		return own.Confirm, nil
	}
	var a struct {
		Policy struct {
			Confirm events.Confirm `json:"confirm"`
		} `json:"policy"`
	}
	err := c.readInto(ctx, "/v1/accounts/"+account, nil, &a)
	if err != nil {
		if s := failureOf(err).Status; s == http.StatusForbidden || s == http.StatusNotFound {
			return strictest, nil
		}
		return strictest, err
	}
	return a.Policy.Confirm, nil
}
