package node

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/durable"
	"github.com/keyledger/keyledger/services/identity"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/vault"
)

// A first start writes, in this order: what the installation will be, the
// unlock key, the epoch key, the log and that it is ours, the credentials file, the
// operator's account, its root key, and that all of it is done. Killed anywhere, the
// next start goes on from what it finds; nothing of an account is in the log before the
// credentials that open it are on disk.

// credentialsFree refuses a first start whose credentials file would have to
// overwrite another.
func credentialsFree(c Config) error {
	switch _, err := os.Lstat(c.InitCredentials); {
	case err == nil:
		return refuse(GuardData, nil, "%s is there already and is not overwritten: move it away, or name another file with --init-credentials", c.InitCredentials)
	case !isMissing(err):
		return refuse(GuardData, err, "the credentials file cannot be made")
	}
	inside, err := vault.Inside(c.InitCredentials, c.Data)
	if err != nil || inside {
		return refuse(GuardData, err, "the credentials file %s has to lie outside the data directory: name another with --init-credentials", c.InitCredentials)
	}
	folder := filepath.Dir(c.InitCredentials)
	if folder == filepath.Dir(c.Data) {
		return nil // it is made with the data directory
	}
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return refuse(GuardData, err, "the credentials file %s cannot be made: its folder has to be there, and to take files", c.InitCredentials)
	}
	return nil
}

// begin draws an installation and writes down that its first start has begun.
func begin(c Config) (installation, error) {
	draw := identity.Source{Rand: c.Rand, Now: c.Now}
	var in installation
	var err error
	if in.ID, err = draw.InstallationID(); err != nil {
		return in, err
	}
	if in.Operator, err = draw.AccountID(); err != nil {
		return in, err
	}
	if in.Root, err = draw.UserID(); err != nil {
		return in, err
	}
	if in.FirstKey, err = draw.AccessKeyID(); err != nil {
		return in, err
	}
	if in.Credentials, err = filepath.Abs(c.InitCredentials); err != nil {
		return in, err
	}
	in.Format, in.State = installationFormat, starting
	err = in.write(c.Data)
	step("begun")
	return in, err
}

// step is told what a first start has just made. Tests stop the process there.
var step = func(made string) {}

// openVault opens the secrets, and makes their keys if the first start is
// still under way.
func openVault(c Config, in installation, unlock *vault.UnlockKey) (*vault.Vault, error) {
	var err error
	if unlock == nil {
		if err = durable.RemoveLeftovers(filepath.Dir(c.UnlockKey), filepath.Base(c.UnlockKey)); err != nil {
			return nil, refuse(GuardUnlock, err, "the unlock key cannot be made")
		}
		if unlock, err = vault.CreateUnlockKey(c.UnlockKey, c.Data, in.ID, c.Now(), c.Rand); err != nil {
			return nil, refuse(GuardUnlock, err, "the unlock key cannot be made")
		}
		step("unlock key")
	}
	v, err := vault.Open(c.Data, unlock)
	if err != nil && in.State == starting && isMissing(err) {
		v, err = vault.Create(c.Data, unlock, c.Now())
	}
	if err != nil {
		return nil, refuse(GuardUnlock, err, "the secrets cannot be opened")
	}
	return v, nil
}

// removeUnmade removes a log that a first start has begun to make and did not
// write down. JetStream cannot go on with a stream that it had half made. There is
// nothing in such a log; one with something in it is not what it seems.
func removeUnmade(dir string) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".blk" {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 {
			err = refuse(GuardData, nil, "%s holds messages, but %s does not say that it was made: restore that file from a backup", dir, installationFile)
		}
		return err
	})
	if err != nil && !isMissing(err) {
		return err
	}
	return os.RemoveAll(dir)
}

// finish opens the operator's account unless an earlier start has, and writes
// down that the first start is done.
func (n *Node) finish(ctx context.Context, in installation) error {
	last, err := n.journal.LastOf(ctx, events.KeyringSubject(in.Operator, in.Root))
	if err != nil && !isNone(err) {
		return err
	}
	if last.Position == 0 {
		if err := n.openOperator(ctx, in); err != nil {
			return err
		}
	}
	in.State = ready
	if err := in.write(n.config.Data); err != nil {
		return err
	}
	step("done")
	n.first = in.Credentials
	return nil
}

func (n *Node) openOperator(ctx context.Context, in installation) error {
	// A leftover of the credentials file would hold the root secret.
	if err := durable.RemoveLeftovers(filepath.Dir(in.Credentials), filepath.Base(in.Credentials)); err != nil {
		return err
	}
	o := ledger.Opening{Account: in.Operator, Root: in.Root, Key: ledger.NewKey{ID: in.FirstKey}}
	k, found, err := written(in.Credentials, o)
	if err != nil {
		return fmt.Errorf("read the credentials file of an earlier start: %w", err)
	}
	if !found {
		if k, err = n.writeFirst(in); err != nil {
			return err
		}
	}
	step("credentials")
	o.Key = k
	req := ledger.Request{ID: "first-start", Actor: events.ActorFirstStart}
	spec := ledger.NewAccount{Name: "operator", Preset: "strict", Operator: true}
	_, err = n.ledger.OpenAccount(ctx, req, spec, o)
	step("account")
	return err
}

// writeFirst draws the first secret and leaves it in the credentials file.
func (n *Node) writeFirst(in installation) (ledger.NewKey, error) {
	drawn, err := n.ledger.DrawKey()
	if err != nil {
		return drawn, err
	}
	k := ledger.NewKey{ID: in.FirstKey, Secret: drawn.Secret}
	c := Credentials{
		Endpoint: n.URL(), AccountID: string(in.Operator), UserID: string(in.Root),
		AccessKeyID: string(k.ID), SecretAccessKey: string(k.Secret.Reveal()),
	}
	return k, c.write(in.Credentials)
}
