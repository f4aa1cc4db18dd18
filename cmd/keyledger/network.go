package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
)

type accountNetworkCommands struct {
	Show accountNetworkShow `cmd:"" help:"Show from where an account's keys may be used."`
	Set  accountNetworkSet  `cmd:"" help:"Say from where an account's keys may be used; what was said before is forgotten."`
}

type keyNetworkCommands struct {
	Show keyNetworkShow `cmd:"" help:"Show a key's own network policy."`
	Set  keyNetworkSet  `cmd:"" help:"Give a key a network policy of its own; what was said before is forgotten."`
}

// networking holds the flags that say what a network policy is.
type networking struct {
	Allow    []string `xor:"network" placeholder:"ADDRESS" help:"An IPv4 or IPv6 address or CIDR prefix from which requests may come; may be repeated or joined by commas, at most 400. Requests from elsewhere are denied."`
	Inactive bool     `xor:"network" help:"Let requests come from anywhere."`
	File     string   `xor:"network" placeholder:"FILE" help:"JSON file of the whole policy: status, statements."`
}

// networkStatement is what the flags make of addresses.
type networkStatement struct {
	Type      string   `json:"type"`
	Addresses []string `json:"addresses"`
}

// perStatement is how many addresses a statement takes.
const perStatement = 50

func (n networking) body() (any, error) {
	if n.File != "" {
		return networkFile(n.File)
	}
	statements, status := []networkStatement{}, "inactive"
	for rest := n.Allow; len(rest) > 0; {
		take := min(perStatement, len(rest))
		statements, status = append(statements, networkStatement{"address", rest[:take]}), "active"
		rest = rest[take:]
	}
	if status != "active" && !n.Inactive {
		return nil, usage("there is nothing to set: give --allow, --inactive or --file")
	}
	return map[string]any{"status": status, "statements": statements}, nil
}

// networkFile reads a network policy from a JSON file. What its fields may be is the server's to say.
func networkFile(path string) (json.RawMessage, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("the --file cannot be read: %v", err)
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, usage("%s is not a JSON object: %v", path, cmp.Or(err, errors.New("it is null")))
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, usage("%s holds more than one JSON object", path)
	}
	return text, nil
}

// showNetwork writes a network policy: for people a statement a line.
func showNetwork(t *terminal, answer json.RawMessage) error {
	if t.json {
		return t.writeJSON(answer)
	}
	var p struct {
		Status     string            `json:"status"`
		Statements []json.RawMessage `json:"statements"`
	}
	if err := decode(answer, &p); err != nil {
		return err
	}
	if err := t.show(answer, []column{{"STATUS", "status"}}); err != nil || len(p.Statements) == 0 {
		return err
	}
	return t.showTable(p.Statements, []column{{"TYPE", "type"}, {"VPC", "vpc"}, {"ADDRESSES", "addresses"}})
}

type accountNetworkShow struct {
	ID string `arg:"" optional:"" help:"The account; the credentials' own if left out."`
}

func (a *accountNetworkShow) Run(ctx context.Context, t *terminal, c *client) error {
	answer, err := c.read(ctx, accountNetworkPath(cmp.Or(a.ID, c.credentials.AccountID)), nil)
	if err != nil {
		return err
	}
	return showNetwork(t, answer)
}

func accountNetworkPath(id string) string {
	return "/v1/accounts/" + url.PathEscape(id) + "/network-policy"
}

type accountNetworkSet struct {
	writing
	ID string `arg:"" help:"The account."`
	networking
}

func (a *accountNetworkSet) Run(ctx context.Context, t *terminal, c *client) error {
	body, err := a.body()
	if err != nil {
		return err
	}
	answer, err := a.write(ctx, c, call{method: http.MethodPut, path: accountNetworkPath(a.ID), body: body})
	if err != nil {
		return err
	}
	return showNetwork(t, answer)
}

type keyNetworkShow struct {
	target
}

func (k *keyNetworkShow) Run(ctx context.Context, t *terminal, c *client) error {
	if err := k.inAccount(ctx, c); err != nil {
		return err
	}
	answer, err := c.read(ctx, k.path()+"/network-policy", nil)
	if err != nil {
		return err
	}
	return showNetwork(t, answer)
}

type keyNetworkSet struct {
	change
	networking
}

func (k *keyNetworkSet) Run(ctx context.Context, t *terminal, c *client) error {
	body, err := k.body()
	if err != nil {
		return err
	}
	if err := k.inAccount(ctx, c); err != nil {
		return err
	}
	answer, err := k.write(ctx, c, call{method: http.MethodPut, path: k.path() + "/network-policy", body: body})
	if err != nil {
		return err
	}
	return showNetwork(t, answer)
}
