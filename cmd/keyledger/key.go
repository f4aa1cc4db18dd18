package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/keyledger/keyledger/events"
)

type keyCommands struct {
	Create   keyCreate   `cmd:"" help:"Create an access key for a user; its secret is shown this once."`
	List     keyList     `cmd:"" help:"List keys, newest first."`
	Show     keyShow     `cmd:"" help:"Show a key, now or at a past moment."`
	Disable  keyDisable  `cmd:"" help:"Stop a key from working, reversibly."`
	Enable   keyEnable   `cmd:"" help:"Let a disabled key work again."`
	Delete   keyDelete   `cmd:"" help:"Move a key to the recycle bin; where the policy keeps none, it is gone for ever."`
	Restore  keyRestore  `cmd:"" help:"Bring a key back from the recycle bin, disabled."`
	Purge    keyPurge    `cmd:"" help:"End a key in the recycle bin for ever."`
	Describe keyDescribe `cmd:"" help:"Give a key a description."`
	History  keyHistory  `cmd:"" help:"List everything that happened to a key, newest first."`
}

var keyColumns = []column{
	{"ACCESS KEY ID", "access_key_id"}, {"USER ID", "user_id"}, {"STATUS", "status"}, {"CREATED", "created_at"}, {"DESCRIPTION", "description"},
}

var keyDetails = append(keyColumns[:len(keyColumns):len(keyColumns)],
	column{"ACCOUNT ID", "account_id"}, column{"STATUS CHANGED", "status_changed_at"}, column{"DELETED", "deleted_at"},
	column{"PURGE AT", "purge_at"}, column{"PURGED", "purged_at"}, column{"WARNINGS", "warnings"})

type keyCreate struct {
	connection
	writing
	tenancy
	User           string `required:"" placeholder:"USER" help:"Whose key it is to be: the user's ID or name."`
	Description    string `help:"At most 256 characters on one line."`
	CSV            string `name:"csv" placeholder:"FILE" help:"Write user name, access key ID and secret to a CSV file; never overwrites."`
	CredentialsOut string `name:"credentials-out" placeholder:"FILE" help:"Write the new key's credentials to a file, ready for --credentials; never overwrites."`
}

func (k *keyCreate) Run(ctx context.Context, t *terminal) error {
	c, err := k.client(t)
	if err != nil {
		return err
	}
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
	create := call{method: http.MethodPost, path: userPath(id) + "/keys", query: k.query(), body: map[string]string{}}
	if k.Description != "" {
		create.body = map[string]string{"description": k.Description}
	}
	answer, err := k.write(ctx, c, create)
	if err != nil {
		return err
	}
	return h.give(t, answer, keyDetails)
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
	return h.toFile(k.CSV, func(n newKey, s secret) ([]byte, error) { return csvFile(u.Name, n.AccessKeyID, s) })
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
	connection
	tenancy
	paging
	asOf
	User   string `required:"" xor:"whose" placeholder:"USER" help:"The keys of this user, by ID or name."`
	All    bool   `required:"" xor:"whose" help:"The keys of every user of the account."`
	Status string `placeholder:"STATUS" predictor:"statuses" help:"Only active, disabled, deleted or purged keys; all but purged ones if left out."`
}

func (k *keyList) Run(ctx context.Context, t *terminal) error {
	c, err := k.client(t)
	if err != nil {
		return err
	}
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
	connection
	asOf
	target
}

func (k *keyShow) Run(ctx context.Context, t *terminal) error {
	c, err := k.client(t)
	if err != nil {
		return err
	}
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
	connection
	paging
	target
}

func (k *keyHistory) Run(ctx context.Context, t *terminal) error {
	c, err := k.client(t)
	if err != nil {
		return err
	}
	if err := k.inAccount(ctx, c); err != nil {
		return err
	}
	return k.list(ctx, t, c, k.path()+"/history", nil, eventColumns)
}

type keyDisable struct {
	change
	asking
	Reason string `help:"Why; at most 256 characters."`
}

func (k *keyDisable) Run(ctx context.Context, t *terminal) error {
	body := map[string]string{"status": events.StatusDisabled}
	if k.Reason != "" {
		body["reason"] = k.Reason
	}
	c, err := k.confirmed(ctx, t, k.asking, "Disable", func(p events.Confirm) string { return p.Disable })
	if err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPatch, path: k.path(), body: body})
}

type keyEnable struct {
	change
	asking
}

// Run asks only where somebody can answer: enabling destroys nothing.
func (k *keyEnable) Run(ctx context.Context, t *terminal) error {
	k.Yes = k.Yes || !t.interactive
	c, err := k.confirmed(ctx, t, k.asking, "Enable", func(p events.Confirm) string { return p.Enable })
	if err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPatch, path: k.path(), body: map[string]string{"status": events.StatusActive}})
}

type keyDelete struct {
	change
	asking
}

func (k *keyDelete) Run(ctx context.Context, t *terminal) error {
	c, err := k.confirmed(ctx, t, k.asking, "Delete", func(p events.Confirm) string { return p.Delete })
	if err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodDelete, path: k.path()})
}

type keyPurge struct {
	change
	asking
}

func (k *keyPurge) Run(ctx context.Context, t *terminal) error {
	c, err := k.confirmed(ctx, t, k.asking, "Purge for ever", func(p events.Confirm) string { return p.Delete })
	if err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPost, path: k.path() + "/purge"})
}

type keyRestore struct{ change }

func (k *keyRestore) Run(ctx context.Context, t *terminal) error {
	c, err := k.ready(ctx, t)
	if err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPost, path: k.path() + "/restore"})
}

type keyDescribe struct {
	change
	Description string `arg:"" help:"At most 256 characters on one line; empty removes it."`
}

func (k *keyDescribe) Run(ctx context.Context, t *terminal) error {
	c, err := k.ready(ctx, t)
	if err != nil {
		return err
	}
	return k.carryOut(ctx, t, c, call{method: http.MethodPatch, path: k.path(), body: map[string]string{"description": k.Description}})
}

// change is what every command that changes a key has in common.
type change struct {
	connection
	writing
	target
}

// ready is the client of a command that asks nothing.
func (k change) ready(ctx context.Context, t *terminal) (*client, error) {
	c, err := k.client(t)
	if err != nil {
		return nil, err
	}
	return c, k.inAccount(ctx, c)
}

// confirmed is the client of a command once the person has confirmed it, as
// the policy of the key's account asks.
func (k change) confirmed(ctx context.Context, t *terminal, a asking, deed string, how func(events.Confirm) string) (*client, error) {
	c, err := k.ready(ctx, t)
	if err != nil || a.Yes {
		return c, err
	}
	account, err := k.known(ctx, c)
	if err != nil {
		return nil, err
	}
	ask, err := c.confirmations(ctx, account)
	if err != nil {
		return nil, err
	}
	return c, question{deed: deed + " the key " + k.Key, id: k.Key, how: how(ask)}.put(t)
}

// carryOut changes the key, shows it as it is now and says what can be done next.
func (k change) carryOut(ctx context.Context, t *terminal, c *client, call call) error {
	answer, err := k.write(ctx, c, call)
	if err != nil {
		return err
	}
	if err := t.show(answer, keyDetails); err != nil {
		return err
	}
	hintNext(t, answer, call)
	return nil
}

func hintNext(t *terminal, answer json.RawMessage, call call) {
	var k struct {
		AccessKeyID string `json:"access_key_id"`
		Status      string `json:"status"`
		PurgeAt     string `json:"purge_at"`
	}
	if json.Unmarshal(answer, &k) != nil {
		return
	}
	switch {
	case k.Status == events.StatusDeleted:
		t.hint("it stays in the recycle bin until %s: keyledger key restore %s brings it back", readableTime(k.PurgeAt), k.AccessKeyID)
	case k.Status == events.StatusDisabled && call.method == http.MethodPost:
		t.hint("a restored key is disabled: keyledger key enable %s lets it work again", k.AccessKeyID)
	}
}
