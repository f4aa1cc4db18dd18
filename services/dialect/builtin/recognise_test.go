package builtin_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/dialect/builtin"
	"github.com/keyledger/keyledger/services/dialect/dialecttest"
)

// TestEachRequestIsOneVendors: all vendors are spoken to on one port. Every captured request is read by the
// one scheme that it names, and no front takes it but that of the scheme's vendor, which
// takes it unless its path is the native API's. Clients of OBS that sign as those of S3 do send what is S3's.
func TestEachRequestIsOneVendors(t *testing.T) {
	dirs, err := filepath.Glob("../*/testdata/vectors")
	if err != nil || len(dirs) < len(builtin.All()) {
		t.Fatalf("got the vectors %v of %d vendors (%v)", dirs, len(builtin.All()), err)
	}
	for _, dir := range dirs {
		owner := filepath.Base(strings.TrimSuffix(dir, "/testdata/vectors"))
		for _, v := range dialecttest.Load(t, dir) {
			r := v.Request()
			var reading, taking []string
			for _, d := range builtin.All() {
				for _, s := range d.Schemes {
					if _, err := s.Read(r); !errors.Is(err, dialect.ErrUnsigned) {
						reading = append(reading, d.Name)
					}
				}
				if d.Front != nil && d.Front.Recognise(r) {
					taking = append(taking, d.Name)
				}
			}
			if len(reading) != 1 || reading[0] != owner && (owner != "obs" || reading[0] != "aws") {
				t.Errorf("%s %s: read by the schemes of %v", dir, v.Name, reading)
			}
			if len(taking) > 1 || len(taking) == 1 && len(reading) == 1 && taking[0] != reading[0] {
				t.Errorf("%s %s: read by a scheme of %v and taken by the front of %v", dir, v.Name, reading, taking)
			}
			if len(taking) == 0 && !strings.HasPrefix(r.Path(), "/v1/") {
				t.Errorf("%s %s: taken by no front", dir, v.Name)
			}
		}
	}
}
