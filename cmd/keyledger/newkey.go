package main

import (
	"encoding/json"
	"slices"
)

// A newKey is what creating a key answers, as far as it must be understood.
type newKey struct {
	AccountID       string  `json:"account_id"`
	UserID          string  `json:"user_id"`
	RootUserID      string  `json:"root_user_id"` // in place of user_id when an account opens
	AccessKeyID     string  `json:"access_key_id"`
	SecretAccessKey *secret `json:"secret_access_key"` // nil if it was sent before
}

// A handover brings a new key's secret to the one who asked: to files that were
// reserved before, and to standard output.
type handover struct {
	files []reservation
}

type reservation struct {
	*secretFile
	content func(newKey, secret) ([]byte, error)
}

// toFile reserves a file for content. An empty path asks for none.
func (h *handover) toFile(path string, content func(newKey, secret) ([]byte, error)) error {
	if path == "" {
		return nil
	}
	f, err := reserve(path)
	if err == nil {
		h.files = append(h.files, reservation{f, content})
	}
	return err
}

// toCredentials reserves a credentials file for the endpoint.
func (h *handover) toCredentials(path, endpoint string) error {
	return h.toFile(path, func(k newKey, s secret) ([]byte, error) {
		user := k.UserID
		if user == "" {
			user = k.RootUserID
		}
		return credentials{
			Endpoint: endpoint, AccountID: k.AccountID, UserID: user, AccessKeyID: k.AccessKeyID, SecretAccessKey: s,
		}.file()
	})
}

// abandon removes the files that were not filled.
func (h *handover) abandon() {
	for _, f := range h.files {
		f.abandon()
	}
}

// give hands over the answer to a command that created a key. For people the
// secret is printed only where no file has it; if a file cannot be written, it
// is printed all the same: it cannot be asked for again.
func (h *handover) give(t *terminal, answer json.RawMessage, columns []column) error {
	var k newKey
	if err := decode(answer, &k); err != nil {
		return err
	}
	if k.SecretAccessKey == nil {
		return h.shownBefore(t, k, answer, columns)
	}
	err := h.fill(k, *k.SecretAccessKey)
	if err == nil && len(h.files) > 0 {
		if err := t.show(answer, columns); err != nil {
			return err
		}
		for _, f := range h.files {
			t.hint("the secret is in %s; it is not shown again", f.path)
		}
		return nil
	}
	if shown := t.show(answer, slices.Concat(columns, []column{{"SECRET ACCESS KEY", "secret_access_key"}})); shown != nil {
		return shown
	}
	t.hint("keep the secret now: it is not shown again")
	return err
}

func (h *handover) fill(k newKey, s secret) error {
	for _, f := range h.files {
		content, err := f.content(k, s)
		if err != nil {
			return err
		}
		if err := f.fill(content); err != nil {
			return err
		}
	}
	return nil
}

// shownBefore tells of a key that an earlier sending of the request made.
func (h *handover) shownBefore(t *terminal, k newKey, answer json.RawMessage, columns []column) error {
	if err := t.show(answer, columns); err != nil {
		return err
	}
	const what = "an earlier sending of this request created the key %s; its secret was sent then and is not shown again. If it did not arrive, delete the key and create another"
	if len(h.files) > 0 {
		return fail(exitRefused, codeSecretNotSent, what, k.AccessKeyID)
	}
	t.hint(what, k.AccessKeyID)
	return nil
}
