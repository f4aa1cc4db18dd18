package main

import "context"

type binCommands struct {
	List binList `cmd:"" help:"List the keys in the recycle bin, newest first."`
}

type binList struct {
	tenancy
	paging
	User string `placeholder:"USER" help:"Only the keys of this user, by ID or name."`
}

func (b *binList) Run(ctx context.Context, t *terminal, c *client) error {
	q := b.query()
	if err := c.setUser(ctx, q, b.tenancy, b.User); err != nil {
		return err
	}
	return b.list(ctx, t, c, "/v1/recycle-bin", q, []column{
		{"ACCESS KEY ID", "access_key_id"}, {"USER ID", "user_id"}, {"DELETED", "deleted_at"}, {"PURGE AT", "purge_at"}, {"DESCRIPTION", "description"},
	})
}
