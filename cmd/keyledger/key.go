package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

type keyCommands struct {
	Create   keyCreate   `cmd:"" help:"Create an access key for a user; its secret is shown this once."`
	Import   keyImport   `cmd:"" help:"Import keys that exist elsewhere, with their IDs and secrets: one, or all of a file."`
	List     keyList     `cmd:"" help:"List keys, newest first."`
	Show     keyShow     `cmd:"" help:"Show a key, now or at a past moment."`
	Disable  keyDisable  `cmd:"" help:"Stop a key from working, reversibly."`
	Enable   keyEnable   `cmd:"" help:"Let a disabled key work again."`
	Delete   keyDelete   `cmd:"" help:"Move a key to the recycle bin; where the policy keeps none, it is gone for ever."`
	Restore  keyRestore  `cmd:"" help:"Bring a key back from the recycle bin, disabled."`
	Purge    keyPurge    `cmd:"" help:"End a key in the recycle bin for ever."`
	Describe keyDescribe `cmd:"" help:"Give a key a description."`
	History  keyHistory  `cmd:"" help:"List everything that happened to a key, newest first."`
	LastUsed keyLastUsed `cmd:"" help:"Show when a key was last used, and last refused; several keys are listed."`

	Restrict   keyRestrict   `cmd:"" help:"Put a key under leak protection: somebody else may know its secret."`
	Unrestrict keyUnrestrict `cmd:"" help:"End the leak protection of a key, where the policy allows it."`

	NetworkPolicy keyNetworkCommands `cmd:"" name:"network-policy" help:"From where a key may be used, as a policy of its own."`
}

var keyColumns = []column{
	{"ACCESS KEY ID", "access_key_id"}, {"USER ID", "user_id"}, {"STATUS", "status"}, {"CREATED", "created_at"}, {"DESCRIPTION", "description"},
}

var keyDetails = slices.Concat(keyColumns, []column{
	{"ACCOUNT ID", "account_id"}, {"STATUS CHANGED", "status_changed_at"}, {"DELETED", "deleted_at"}, {"PURGE AT", "purge_at"}, {"PURGED", "purged_at"},
	{"RESTRICTED", "restricted_at"}, {"RESTRICTED REASON", "restricted_reason"}, {"FOUND IN", "found_in"}, {"WARNINGS", "warnings"},
})

type keyCreate struct {
	writing
	tenancy
	User           string `required:"" placeholder:"USER" help:"Whose key it is to be: the user's ID or name."`
	Description    string `empty:"" placeholder:"TEXT" help:"At most 256 characters on one line."`
	CSV            string `name:"csv" placeholder:"FILE" help:"Write user name, access key ID and secret to a CSV file; never overwrites."`
	CredentialsOut string `name:"credentials-out" placeholder:"FILE" help:"Write the new key's credentials to a file, ready for --credentials; never overwrites."`
}

func (k *keyCreate) Run(ctx context.Context, t *terminal, c *client) error {
	id, err := c.userID(ctx, k.tenancy, k.User)
	if err != nil {
		return err
	}
	var h handover
	defer h.abandon()
	if err := k.reserve(ctx, c, id, &h); err != nil {
		return err
	}
	c.warnInTheClear(t)
	create := call{method: http.MethodPost, path: userPath(id) + "/keys", query: k.query(), body: given("description", k.Description)}
	answer, err := k.write(ctx, c, create)
	if err != nil {
		return err
	}
	if err := h.give(t, answer, keyDetails); err != nil {
		return err
	}
	hintWarnings(t, answer)
	return nil
}

// reserve makes the files that the secret is to go to.
func (k *keyCreate) reserve(ctx context.Context, c *client, user string, h *handover) error {
	if err := h.toCredentials(k.CredentialsOut, c.endpoint); err != nil || k.CSV == "" {
		return err
	}
	var u struct {
		Name string `json:"name"`
	}
	if err := c.readInto(ctx, userPath(user), k.query(), &u); err != nil {
		return err
	}
	return h.toFile(k.CSV, func(n issued, s secret) ([]byte, error) { return csvFile(u.Name, n.AccessKeyID, s) })
}

// asOf holds the flags of a question about a past moment.
type asOf struct {
	AsOf         moment `name:"as-of" xor:"as-of" placeholder:"TIME" help:"As it was at this time: RFC 3339, or a day."`
	AsOfPosition uint64 `name:"as-of-position" xor:"as-of" placeholder:"N" help:"As it was at this position of the log."`
}

func (a asOf) ask(q url.Values) {
	set(q, "as_of", a.AsOf.text())
	if a.AsOfPosition != 0 {
		q.Set("as_of_position", strconv.FormatUint(a.AsOfPosition, 10))
	}
}

func (a asOf) past() bool { return a.AsOfPosition != 0 || !a.AsOf.IsZero() }

type keyList struct {
	tenancy
	paging
	asOf
	User   string `required:"" xor:"whose" placeholder:"USER" help:"The keys of this user, by ID or name."`
	All    bool   `required:"" xor:"whose" help:"The keys of every user of the account."`
	Status string `placeholder:"STATUS" predictor:"statuses" help:"Only active, disabled, deleted or purged keys; all but purged ones if left out."`
}

func (k *keyList) Run(ctx context.Context, t *terminal, c *client) error {
	q, path := k.query(), "/v1/keys"
	set(q, "status", k.Status)
	k.ask(q)
	if k.All && k.past() {
		return usage("a past moment can be asked of one user's keys only: give --user")
	}
	if !k.All {
		id, err := c.userID(ctx, k.tenancy, k.User)
		if err != nil {
			return err
		}
		path = userPath(id) + "/keys"
	}
	return k.list(ctx, t, c, path, q, keyColumns)
}

// target is the key that a command is about.
type target struct {
	tenancy
	Key string `arg:"" help:"The access key ID."`
}

func (k target) path() string { return "/v1/keys/" + url.PathEscape(k.Key) }

// known is the key as it is, which must be in the account if one is named.
func (k target) known(ctx context.Context, c *client) (account string, err error) {
	var found struct {
		AccountID string `json:"account_id"`
	}
	if err := c.readInto(ctx, k.path(), nil, &found); err != nil {
		return "", err
	}
	if k.Account != "" && found.AccountID != k.Account {
		return "", fail(exitNotFound, "key.not_found", "there is no access key %q in the account %s", k.Key, k.Account)
	}
	return found.AccountID, nil
}

// inAccount refuses a key that is not in the account, if one is named.
func (k target) inAccount(ctx context.Context, c *client) error {
	if k.Account == "" {
		return nil
	}
	_, err := k.known(ctx, c)
	return err
}

type keyShow struct {
	asOf
	target
}

func (k *keyShow) Run(ctx context.Context, t *terminal, c *client) error {
	if err := k.inAccount(ctx, c); err != nil {
		return err
	}
	q := url.Values{}
	k.ask(q)
	answer, err := c.read(ctx, k.path(), q)
	if err != nil {
		return err
	}
	return t.show(answer, keyDetails)
}

type keyHistory struct {
	paging
	target
}

func (k *keyHistory) Run(ctx context.Context, t *terminal, c *client) error {
	if err := k.inAccount(ctx, c); err != nil {
		return err
	}
	return k.list(ctx, t, c, k.path()+"/history", nil, eventColumns)
}
