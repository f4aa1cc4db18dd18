package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEndpoints(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:7420": "http://127.0.0.1:7420", "https://keys.example/": "https://keys.example", "http://[::1]:80": "http://[::1]:80",
		"": "", "127.0.0.1:7420": "", "ftp://x": "", "http://": "", "http://u:p@h": "", "http://h/path": "", "http://h?q=1": "", "http://h#f": "", "http://h:x": "",
	} {
		got, err := parseEndpoint(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestInTheClear(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:1": false, "http://localhost:1": false, "http://[::1]:1": false, "https://keys.example": false,
		"http://keys.example": true, "http://10.0.0.1": true,
	} {
		if got := inTheClear(endpoint); got != want {
			t.Errorf("%s: got %v, want %v", endpoint, got, want)
		}
	}
}

func TestCredentialsFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	var errs bytes.Buffer
	term := &terminal{err: &errs}
	for text, want := range map[string]string{
		`{"access_key_id":"A","secret_access_key":"topsecret","endpoint":"http://h"}`: "",
		`{"access_key_id":"A"}`:       "missing",
		`{"secret_access_key":12345}`: "not a credentials file",
		`topsecret`:                   "not a credentials file",
		`{"secret_access_key":"t"}`:   "missing",
		`["topsecret"]`:               "not a credentials file",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readCredentials(term, path)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%s: got %v, want %q and no secret", text, err, want)
		}
	}
	if _, err := readCredentials(term, path+"x"); exitFor(err) != exitUsage || errs.Len() > 0 {
		t.Errorf("a file that is not there: got %v and %q", err, &errs)
	}
}

func TestCredentialsOthersCanRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.json")
	if err := os.WriteFile(path, []byte(`{"access_key_id":"A","secret_access_key":"s"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if _, err := readCredentials(&terminal{err: &errs}, path); err != nil || !strings.Contains(errs.String(), "chmod 600") {
		t.Errorf("got %v and %q, want a warning", err, &errs)
	}
}

func TestShellQuote(t *testing.T) {
	for word, want := range map[string]string{"/a/b-c.json": "/a/b-c.json", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'"} {
		if got := shellQuote(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}
