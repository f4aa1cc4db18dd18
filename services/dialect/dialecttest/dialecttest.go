// Package dialecttest is the contract of a vendor dialect as a test suite:
// every captured request is judged rightly, no signed bit of a genuine one
// can be changed, and its front answers as its transcripts say.
//
// The ways in are [Run] and [Transcripts]. It proves nothing about requests that nobody captured;
// fuzzing of each scheme's Read does that.
package dialecttest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

// unread are the reasons of an entry that nobody has judged yet.
var unread = map[string]bool{vector.Unsigned: true, "unsupported_payload": true}

// Run judges every entry of the vector files in dir (*.json).
//
// later names the entries that the schemes do not read yet. Run fails if one
// of them is read after all, if one that is not named is not, and if a name is
// in no file: the list is always the truth about what is left.
func Run(t *testing.T, schemes []dialect.Scheme, dir string, later ...string) {
	t.Helper()
	left := make(map[string]bool, len(later))
	for _, name := range later {
		left[name] = true
	}
	for _, v := range Load(t, dir) {
		t.Run(v.Name, func(t *testing.T) {
			if left[v.Name] {
				wantUnread(t, v, schemes)
				return
			}
			wantVerdict(t, v, schemes)
		})
		delete(left, v.Name)
	}
	for name := range left {
		t.Errorf("%s is listed for later but is in no vector file", name)
	}
}

// Load returns the entries of every vector file in dir.
func Load(t testing.TB, dir string) []vector.Vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vector files in %s (%v)", dir, err)
	}
	var all []vector.Vector
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		vectors, err := vector.Load(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, vectors...)
	}
	return all
}

func wantUnread(t *testing.T, v vector.Vector, schemes []dialect.Scheme) {
	t.Helper()
	if j := vector.Judge(v, schemes); !unread[j.Reason] {
		t.Errorf("it is listed for later, and got valid=%t reason=%q: take it off the list", j.Valid, j.Reason)
	}
}

func wantVerdict(t *testing.T, v vector.Vector, schemes []dialect.Scheme) {
	t.Helper()
	j := vector.Judge(v, schemes)
	if j.Valid != v.Valid {
		t.Fatalf("got valid=%t (%s: %s), want valid=%t (%s)\ncanonical request:\n%s\nstring to sign:\n%s",
			j.Valid, j.Reason, j.Detail, v.Valid, v.Reason, j.CanonicalRequest, j.StringToSign)
	}
	if unread[j.Reason] {
		t.Fatalf("got %s: it was not judged at all; read it, or list it for later", j.Reason)
	}
	wantReadable(t, v, schemes)
	if v.Valid {
		flipAll(t, v, schemes)
	}
}

// wantReadable holds Read to its contract where it can be seen from outside:
// the request is left alone, and the answer does not depend on the last one.
func wantReadable(t *testing.T, v vector.Vector, schemes []dialect.Scheme) {
	t.Helper()
	r := v.Request()
	first, err1 := dialect.Read(r, schemes)
	second, err2 := dialect.Read(r, schemes)
	if !reflect.DeepEqual(err1, err2) || len(first) != len(second) {
		t.Errorf("reading twice differs: %v, %v", err1, err2)
	}
	if err1 == nil && len(first) == 0 {
		t.Error("no error, and no claim")
	}
	for i := range min(len(first), len(second)) {
		if first[i].AccessKeyID != first[0].AccessKeyID {
			t.Error("the claims of one request name two keys")
		}
		if !bytes.Equal(first[i].StringToSign, second[i].StringToSign) {
			t.Errorf("reading twice gives other strings to sign:\n%s\n%s", first[i].StringToSign, second[i].StringToSign)
		}
	}
	if err1 == nil {
		wantReadAnew(t, r, schemes, first)
	}
	if !reflect.DeepEqual(r, v.Request()) {
		t.Error("reading changed the request")
	}
}

// wantReadAnew wants the same claims from memory that was in use before.
func wantReadAnew(t *testing.T, r *dialect.Request, schemes []dialect.Scheme, want []dialect.Claim) {
	t.Helper()
	s := dialect.NewScratch()
	defer s.Release()
	for range 2 {
		claims, err := s.Read(r, schemes)
		if err != nil || len(claims) != len(want) {
			t.Fatalf("read into memory that was in use before: %d claims, want %d (%v)", len(claims), len(want), err)
		}
		for i := range claims {
			got, want := claims[i], want[i]
			if got.Sign, want.Sign = nil, nil; !reflect.DeepEqual(got, want) { // functions cannot be compared
				t.Errorf("read into memory that was in use before: got\n%+v\nwant\n%+v", got, want)
			}
		}
	}
}
