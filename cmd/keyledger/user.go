package main

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

type userCommands struct {
	Create userCreate `cmd:"" help:"Add a user to an account."`
	List   userList   `cmd:"" help:"List the users of an account, newest first."`
	Show   userShow   `cmd:"" help:"Show a user."`
	Change userChange `cmd:"" help:"Change a user's name, role or grants."`
	Remove userRemove `cmd:"" help:"Remove a user who has no keys."`
}

var userColumns = []column{
	{"USER ID", "user_id"}, {"NAME", "name"}, {"KIND", "kind"}, {"ROLE", "role"}, {"GRANTS", "grants"}, {"CREATED", "created_at"},
}

// tenancy holds the flag of every command that works in one account.
type tenancy struct {
	Account string `placeholder:"ID" help:"The account to work in (operator); the credentials' own if left out."`
}

func (a tenancy) query() url.Values {
	q := url.Values{}
	set(q, "account_id", a.Account)
	return q
}

type userCreate struct {
	writing
	tenancy
	Name string `required:"" placeholder:"NAME" help:"1 to 64 of A-Z a-z 0-9 + = , . @ _ -"`
	Role string `placeholder:"ROLE" predictor:"roles" help:"admin, user (if left out) or auditor."`
	Kind string `placeholder:"KIND" predictor:"kinds" help:"user (if left out) or collaborator."`
}

func (u *userCreate) Run(ctx context.Context, t *terminal, c *client) error {
	body := given("name", u.Name, "role", u.Role, "kind", u.Kind)
	answer, err := u.write(ctx, c, call{method: http.MethodPost, path: "/v1/users", query: u.query(), body: body})
	if err != nil {
		return err
	}
	return t.show(answer, userColumns)
}

type userList struct {
	tenancy
	paging
	Name string `placeholder:"NAME" help:"Only the user of this name."`
}

func (u *userList) Run(ctx context.Context, t *terminal, c *client) error {
	q := u.query()
	set(q, "name", u.Name)
	return u.list(ctx, t, c, "/v1/users", q, userColumns)
}

type userShow struct {
	tenancy
	User string `arg:"" help:"The user's ID or name."`
}

func (u *userShow) Run(ctx context.Context, t *terminal, c *client) error {
	id, err := c.userID(ctx, u.tenancy, u.User)
	if err != nil {
		return err
	}
	answer, err := c.read(ctx, userPath(id), u.query())
	if err != nil {
		return err
	}
	return t.show(answer, userColumns)
}

type userChange struct {
	writing
	tenancy
	User   string  `arg:"" help:"The user's ID or name."`
	Name   *string `placeholder:"NAME" help:"The new name."`
	Role   *string `placeholder:"ROLE" predictor:"roles" help:"The new role."`
	Grants *string `placeholder:"GRANT,..." help:"All that the user is to have, e.g. manage-own-keys; empty takes all away."`
}

func (u *userChange) Run(ctx context.Context, t *terminal, c *client) error {
	body := u.body()
	if len(body) == 0 {
		return usage("there is nothing to change: give --name, --role or --grants")
	}
	id, err := c.userID(ctx, u.tenancy, u.User)
	if err != nil {
		return err
	}
	answer, err := u.write(ctx, c, call{method: http.MethodPatch, path: userPath(id), query: u.query(), body: body})
	if err != nil {
		return err
	}
	return t.show(answer, userColumns)
}

func (u *userChange) body() map[string]any {
	body := map[string]any{}
	if u.Name != nil {
		body["name"] = *u.Name
	}
	if u.Role != nil {
		body["role"] = *u.Role
	}
	if u.Grants != nil {
		body["grants"] = splitGrants(*u.Grants)
	}
	return body
}

func splitGrants(text string) []string {
	grants := []string{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			grants = append(grants, part)
		}
	}
	return grants
}

type userRemove struct {
	writing
	asking
	tenancy
	User string `arg:"" help:"The user's ID or name."`
}

func (u *userRemove) Run(ctx context.Context, t *terminal, c *client) error {
	id, err := c.userID(ctx, u.tenancy, u.User)
	if err != nil {
		return err
	}
	if err := u.likeDeletion(ctx, t, c, u.tenancy, "Remove the user", id); err != nil {
		return err
	}
	if _, err := u.write(ctx, c, call{method: http.MethodDelete, path: userPath(id), query: u.query()}); err != nil {
		return err
	}
	return t.show([]byte(`{"user_id":"`+id+`","removed":true}`), []column{{"REMOVED USER", "user_id"}})
}

func userPath(id string) string { return "/v1/users/" + url.PathEscape(id) }

// setUser asks a query for what is about one user, unless none is named.
func (c *client) setUser(ctx context.Context, q url.Values, a tenancy, user string) error {
	if user == "" {
		return nil
	}
	id, err := c.userID(ctx, a, user)
	q.Set("user_id", id)
	return err
}

var userIDForm = regexp.MustCompile(`^[1-9][0-9]{17}$`)

// userID is the user that a command names by ID or by name.
func (c *client) userID(ctx context.Context, a tenancy, user string) (string, error) {
	if userIDForm.MatchString(user) {
		return user, nil
	}
	q := a.query()
	q.Set("name", user)
	var found struct {
		Items []struct {
			UserID string `json:"user_id"`
		} `json:"items"`
	}
	if err := c.readInto(ctx, "/v1/users", q, &found); err != nil {
		if failureOf(err).Status == http.StatusForbidden {
			if own := c.ownID(ctx, user); own != "" {
				return own, nil
			}
		}
		return "", err
	}
	if len(found.Items) == 0 {
		return "", fail(exitNotFound, "user.not_found", "there is no user %q in the account; give an ID of 18 digits or a name", user)
	}
	return found.Items[0].UserID, nil
}

// ownID is the caller's own user, if that is its name: whoever may not list users works on their own keys all the same.
func (c *client) ownID(ctx context.Context, name string) string {
	var own struct {
		UserID string `json:"user_id"`
		Name   string `json:"user_name"`
	}
	if err := c.readInto(ctx, "/v1/caller", nil, &own); err != nil || !strings.EqualFold(own.Name, name) {
		return ""
	}
	return own.UserID
}
