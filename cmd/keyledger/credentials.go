package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
)

// A secret is a secret access key. However it is printed, it prints
// "[secret]"; reveal is the one way to its text.
type secret string

func (secret) String() string                  { return "[secret]" }
func (secret) GoString() string                { return "[secret]" }
func (secret) MarshalText() ([]byte, error)    { return []byte("[secret]"), nil }
func (s secret) reveal() string                { return string(s) }
func (s *secret) UnmarshalText(b []byte) error { *s = secret(b); return nil }

// credentials are what a client signs with: a credentials file.
type credentials struct {
	Endpoint        string `json:"endpoint"`
	AccountID       string `json:"account_id"`
	UserID          string `json:"user_id"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey secret `json:"secret_access_key"`
}

// file is the credentials as a file holds them, the secret in the clear.
func (c credentials) file() ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		credentials
		SecretAccessKey string `json:"secret_access_key"`
	}{c, c.SecretAccessKey.reveal()}, "", "  ")
	return append(text, '\n'), err
}

// readCredentials reads a credentials file, and warns if others can too.
func readCredentials(t *terminal, path string) (credentials, error) {
	var c credentials
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, usage("there is no credentials file %s; --credentials and KEYLEDGER_CREDENTIALS name it", path)
	}
	if err != nil {
		return c, usage("the credentials file cannot be read: %v", err)
	}
	if json.Unmarshal(text, &c) != nil { // what it says could quote the secret
		return c, usage("%s is not a credentials file: want a JSON object with endpoint, access_key_id and secret_access_key", path)
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return c, usage("%s is not a credentials file: access_key_id or secret_access_key is missing", path)
	}
	warnIfOpen(t, path)
	return c, nil
}

// warnIfOpen warns of a file that others on this machine can read.
func warnIfOpen(t *terminal, path string) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		t.warn("others can read the secret in %s; run: chmod 600 %s", path, shellQuote(path))
	}
}
