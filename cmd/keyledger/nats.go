package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/keyledger/keyledger/services/durable"
	"github.com/keyledger/keyledger/services/journal"
)

type natsCommands struct {
	User natsUserCommands `cmd:"" help:"Programs that read the log over NATS (serve --nats-listen). A running server notices a change within seconds."`
}

type natsUserCommands struct {
	Create natsUserCreate `cmd:"" help:"Let a program read LEDGER and USED; its seed is written to a file."`
	List   natsUserList   `cmd:"" help:"List who may read."`
	Revoke natsUserRevoke `cmd:"" help:"Take it back: whoever is connected is cut off."`
}

// usersFile is the file that serve reads with --nats-users.
type usersFile struct {
	Users string `default:"keyledger-data-nats-users" placeholder:"FILE" help:"The file of who may read, on the server's machine (${default} if left out)."`
}

// read is who may read. A file that is not there is the caller's mistake, unless it is about to be made.
func (f usersFile) read(toCreate bool) ([]journal.OutletUser, error) {
	text, err := os.ReadFile(f.Users)
	switch {
	case errors.Is(err, fs.ErrNotExist) && toCreate:
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("there is no %s; --users names the file that keyledger nats user create made", f.Users)
	case err != nil:
		return nil, usage("the --users file cannot be read: %v", err)
	}
	users, err := journal.ParseOutletUsers(string(text))
	if err != nil {
		return nil, usage("%s: %v", f.Users, err)
	}
	return users, nil
}

func (f usersFile) write(users []journal.OutletUser) error {
	if err := durable.WriteFile(f.Users, []byte(journal.FormatOutletUsers(users)), 0o600); err != nil {
		return fail(exitRefused, codeFile, "%s could not be written: %v", f.Users, err)
	}
	return nil
}

func find(users []journal.OutletUser, name string) int {
	return slices.IndexFunc(users, func(u journal.OutletUser) bool { return u.Name == name })
}

type natsUserCreate struct {
	usersFile
	Name    string `required:"" placeholder:"NAME" help:"1 to 64 of A-Z a-z 0-9 . _ -"`
	SeedOut string `required:"" placeholder:"FILE" help:"Where the seed goes, by which the program proves who it is; it must not exist."`
}

// Run writes the seed first: a user whose seed nobody has would be of no use.
func (n *natsUserCreate) Run(t *terminal) error {
	users, err := n.read(true)
	if err != nil {
		return err
	}
	if find(users, n.Name) >= 0 {
		return fail(exitRefused, "nats_user.name_taken", "%s has a user %q already; revoke it first", n.Users, n.Name)
	}
	u, seed, err := journal.NewOutletUser(n.Name)
	if err != nil {
		return usage("%v", err)
	}
	if err := durable.CreateFile(n.SeedOut, []byte(seed+"\n"), 0o600); err != nil {
		return usage("the seed could not be written, and nobody was let in: %v", err)
	}
	if err := n.write(append(users, u)); err != nil {
		return errors.Join(err, os.Remove(n.SeedOut))
	}
	t.hint("the seed is in %s; it is nowhere else", n.SeedOut)
	return showUser(t, u)
}

type natsUserList struct{ usersFile }

func (n *natsUserList) Run(t *terminal) error {
	users, err := n.read(false)
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(users))
	for i, u := range users {
		items[i] = userDocument(u)
	}
	return t.list(page{Items: items}, natsUserColumns)
}

var natsUserColumns = []column{{"NAME", "name"}, {"PUBLIC KEY", "public_key"}}

func userDocument(u journal.OutletUser) json.RawMessage {
	document, _ := json.Marshal(map[string]string{"name": u.Name, "public_key": u.Key}) // strings only
	return document
}

func showUser(t *terminal, u journal.OutletUser) error {
	return t.show(userDocument(u), natsUserColumns)
}

type natsUserRevoke struct {
	usersFile
	Name string `arg:"" help:"The user's name."`
}

func (n *natsUserRevoke) Run(t *terminal) error {
	users, err := n.read(false)
	if err != nil {
		return err
	}
	i := find(users, n.Name)
	if i < 0 {
		return fail(exitNotFound, "nats_user.not_found", "%s has no user %q", n.Users, n.Name)
	}
	u := users[i]
	if err := n.write(slices.Delete(users, i, i+1)); err != nil {
		return err
	}
	return showUser(t, u)
}
