package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASecretFileIsMadeBeforeItsSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	f, err := reserve(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != reservedBytes {
		t.Errorf("got %v, %v; want a file of mode 0600 with its room taken", info, err)
	}
	if _, err := reserve(path); exitFor(err) != exitUsage || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("a second one got %v", err)
	}
	if err := (&recoverCommand{CredentialsOut: path}).Run(t.Context(), nil); exitFor(err) != exitUsage || !strings.Contains(err.Error(), "not overwritten") {
		t.Errorf("recover into it got %v", err)
	}
	if err := f.fill([]byte("content")); err != nil {
		t.Fatal(err)
	}
	f.abandon()
	if got, err := os.ReadFile(path); string(got) != "content" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAnUnusedSecretFileGoesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	f, err := reserve(path)
	if err != nil {
		t.Fatal(err)
	}
	f.abandon()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("got %v, want it gone", err)
	}
	if _, err := reserve(filepath.Join(path, "no", "such", "folder")); exitFor(err) != exitUsage {
		t.Errorf("a path that cannot be: got %v", err)
	}
}

func TestCSV(t *testing.T) {
	for name, want := range map[string]string{
		"alice": "alice", "a,b": `"a,b"`, "=cmd|x": "'=cmd|x", "+1": "'+1", "-1": "'-1", "@x": "'@x", `q"q`: `"q""q"`, "": "",
	} {
		got, err := csvFile(name, "KLAK1", "kls_1")
		if want := "User Name,Access Key Id,Secret Access Key\r\n" + want + ",KLAK1,kls_1\r\n"; err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	c := credentials{AccessKeyID: "KLAK1", SecretAccessKey: "kls_hidden"}
	k := issued{SecretAccessKey: &c.SecretAccessKey}
	text, _ := json.Marshal(c)
	printed := fmt.Sprintf("%v %+v %#v %s %v %+v %s", c, c, c, c, k, *k.SecretAccessKey, text)
	if strings.Contains(printed, "hidden") {
		t.Errorf("got %s", printed)
	}
	file, err := c.file()
	if err != nil || !strings.Contains(string(file), `"secret_access_key": "kls_hidden"`) || bytes.Count(file, []byte("secret_access_key")) != 1 {
		t.Errorf("a credentials file must hold it: got %s, %v", file, err)
	}
}

// TestASecretIsPrintedWhenItsFileCannotBeWritten: it cannot be asked for again.
func TestASecretIsPrintedWhenItsFileCannotBeWritten(t *testing.T) {
	var h handover
	if err := h.toCredentials(filepath.Join(t.TempDir(), "c"), "http://h"); err != nil {
		t.Fatal(err)
	}
	_ = h.files[0].f.Close() // as if the disk had gone
	var out, errs bytes.Buffer
	err := h.give(&terminal{out: &out, err: &errs}, []byte(`{"access_key_id":"KLAK1","secret_access_key":"kls_1"}`), keyDetails)
	if exitFor(err) != exitRefused || !strings.Contains(out.String(), "kls_1") || strings.Contains(errs.String(), "kls_1") {
		t.Errorf("got %v, stdout %q, stderr %q", err, &out, &errs)
	}
}

// TestInert has no spreadsheet take what a stranger wrote for a formula.
func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "curl/8.5": "curl/8.5", "a=1": "a=1", " ": " ", "\u00e4": "\u00e4",
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r1": "'\r1",
		" =1+1": "' =1+1", "\ufeff=1+1": "'\ufeff=1+1", "\uff1d1+1": "'\uff1d1+1", "\u3000\uff20A": "'\u3000\uff20A",
	} {
		if got := inert(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
