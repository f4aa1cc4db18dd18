package main

import (
	"encoding/json"
	"os/signal"
	"slices"
	"syscall"
)

// An issued is what creating a key or a gateway token answers, as far as it must
// be understood.
type issued struct {
	AccountID       string  `json:"account_id"`
	UserID          string  `json:"user_id"`
	RootUserID      string  `json:"root_user_id"` // in place of user_id when an account opens
	AccessKeyID     string  `json:"access_key_id"`
	SecretAccessKey *secret `json:"secret_access_key"` // nil if it was sent before
	TokenID         string  `json:"token_id"`          // of a gateway token
	Token           *secret `json:"token"`             // nil if it was sent before
}

// secret is what is shown once; nil if it was sent before.
func (i issued) secret() *secret {
	if i.TokenID != "" {
		return i.Token
	}
	return i.SecretAccessKey
}

// words are how people are told of what was issued.
type words struct {
	what, id string
	secret   string // what of it is shown once
	undo     string // how to be rid of it
	column   column // of what is shown once
}

func (i issued) words() words {
	if i.TokenID != "" {
		return words{"gateway token", i.TokenID, "token", "revoke", column{"TOKEN", "token"}}
	}
	return words{"key", i.AccessKeyID, "secret", "delete", column{"SECRET ACCESS KEY", "secret_access_key"}}
}

// A handover brings the secret of what was issued to the one who asked: to files
// that were reserved before, and to standard output.
type handover struct {
	files []reservation
}

type reservation struct {
	*secretFile
	content func(issued, secret) ([]byte, error)
}

// toFile reserves a file for content. An empty path asks for none.
func (h *handover) toFile(path string, content func(issued, secret) ([]byte, error)) error {
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
	return h.toFile(path, func(k issued, s secret) ([]byte, error) {
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

// give hands over the answer to a command that issued something. For people the
// secret is printed only where no file has it; if a file cannot be written, it
// is printed all the same: it cannot be asked for again.
func (h *handover) give(t *terminal, answer json.RawMessage, columns []column) error {
	var i issued
	if err := decode(answer, &i); err != nil {
		return err
	}
	if i.secret() == nil {
		return h.shownBefore(t, i.words(), answer, columns)
	}
	w := i.words()
	err := h.fill(i, *i.secret())
	if err == nil && len(h.files) > 0 {
		if err := t.show(answer, columns); err != nil {
			return err
		}
		for _, f := range h.files {
			t.hint("the %s is in %s; it is not shown again", w.secret, f.path)
		}
		return nil
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone is to be told of, too
	if shown := t.show(answer, slices.Concat(columns, []column{w.column})); shown != nil {
		return fail(exitRefused, codeFile, "the %s %s was created and its %s is lost, because standard output could not be written: %s the %s and create another",
			w.what, w.id, w.secret, w.undo, w.what)
	}
	t.hint("keep the %s now: it is not shown again", w.secret)
	return err
}

func (h *handover) fill(i issued, s secret) error {
	for _, f := range h.files {
		content, err := f.content(i, s)
		if err != nil {
			return err
		}
		if err := f.fill(content); err != nil {
			return err
		}
	}
	return nil
}

// shownBefore tells of what an earlier sending of the request issued.
func (h *handover) shownBefore(t *terminal, w words, answer json.RawMessage, columns []column) error {
	if err := t.show(answer, columns); err != nil {
		return err
	}
	const what = "an earlier sending of this request created the %s %s; its %s was sent then and is not shown again. If it did not arrive, %s the %s and create another"
	if len(h.files) > 0 {
		return fail(exitRefused, codeSecretNotSent, what, w.what, w.id, w.secret, w.undo, w.what)
	}
	t.hint(what, w.what, w.id, w.secret, w.undo, w.what)
	return nil
}
