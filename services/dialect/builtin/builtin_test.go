package builtin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
	"github.com/keyledger/keyledger/services/dialect/vector"
)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range builtin.All() {
		if d.Name == "" || seen[d.Name] || len(d.Schemes) == 0 {
			t.Errorf("vendor %q: no name, named twice, or no scheme", d.Name)
		}
		seen[d.Name] = true
	}
	for _, s := range builtin.Schemes() {
		if s.Name() == "" || seen[s.Name()] {
			t.Errorf("scheme %q: no name, or named twice", s.Name())
		}
		seen[s.Name()] = true
	}
}

// TestRecognisedByItsOwn: every captured request of a vendor is recognised by that vendor's front and read by that
// vendor's schemes, and by no other's. A request of a service that has no front here is recognised by none.
func TestRecognisedByItsOwn(t *testing.T) {
	for _, owner := range builtin.All() {
		own := 0
		for _, v := range dialecttest.Load(t, "../"+owner.Name+"/testdata/vectors") {
			r, home := v.Request(), homeOf(owner.Name, v)
			for _, d := range builtin.All() {
				_, err := dialect.Read(r, d.Schemes)
				if reads := !errors.Is(err, dialect.ErrUnsigned); reads && d.Name != home {
					t.Errorf("%s of %s is read by %s", v.Name, owner.Name, d.Name)
				}
				if d.Front == nil || !d.Front.Recognise(r) {
					continue
				}
				if d.Name != home {
					t.Errorf("%s of %s is recognised by %s", v.Name, owner.Name, d.Name)
				}
				own++
			}
			if _, err := dialect.Read(r, builtin.Schemes()); v.Valid && errors.Is(err, dialect.ErrUnsigned) {
				t.Errorf("%s of %s is read by nobody", v.Name, owner.Name)
			}
		}
		if owner.Front != nil && own == 0 {
			t.Errorf("%s recognises none of its own requests", owner.Name)
		}
	}
}

// homeOf is the vendor whose request v is. A client of OBS can be told to sign as those of S3 do, and what it
// sends then is S3's.
func homeOf(owner string, v vector.Vector) string {
	if owner == "obs" && strings.HasPrefix(v.Scheme, "AWS") {
		return "aws"
	}
	return owner
}

// TestNativePathsAreNobodysElse: a path of the native API is the native API's, whoever signs.
func TestNativePathsAreNobodysElse(t *testing.T) {
	for _, owner := range builtin.All() {
		for _, v := range dialecttest.Load(t, "../"+owner.Name+"/testdata/vectors") {
			r := v.Request()
			_, query, _ := strings.Cut(r.Target, "?")
			for _, path := range []string{"/v1/keys", "/v1/verify", "/v1/users/234567890123456789/keys"} {
				r.Target = path + "?" + query
				for _, d := range builtin.All() {
					if d.Front != nil && d.Front.Recognise(r) {
						t.Errorf("%s of %s at %s is recognised by %s", v.Name, owner.Name, path, d.Name)
					}
				}
			}
		}
	}
}
