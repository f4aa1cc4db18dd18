package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/keyledger/keyledger/services/node"
)

type recoverCommand struct {
	dataFlags
	listenFlags
	CredentialsOut string `name:"credentials-out" required:"" placeholder:"FILE" help:"Where to write the new key; never overwrites."`
}

// Run makes a new key for the operator's root user. The key is on disk before
// it is in the log.
func (r *recoverCommand) Run(ctx context.Context, t *terminal) error {
	if _, err := os.Lstat(r.CredentialsOut); err == nil {
		return taken(r.CredentialsOut)
	}
	made, err := node.Recover(ctx, r.config(r.listenFlags, t), r.CredentialsOut)
	var refused *node.RefusedError
	if errors.As(err, &refused) {
		return notStarted(err)
	}
	if err != nil {
		return err
	}
	document, err := json.Marshal(map[string]string{
		"account_id": made.AccountID, "user_id": made.UserID, "access_key_id": made.AccessKeyID, "credentials_file": r.CredentialsOut,
	})
	if err != nil {
		return err
	}
	return t.show(document, []column{
		{"ACCOUNT ID", "account_id"}, {"USER ID", "user_id"}, {"ACCESS KEY ID", "access_key_id"}, {"CREDENTIALS FILE", "credentials_file"},
	})
}
