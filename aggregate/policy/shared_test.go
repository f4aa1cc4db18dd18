package policy

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/keyledger/keyledger/events"
)

// Overrides are decoded onto a copy: the table stays as it is, in its slices too.
func TestTheTableIsNotShared(t *testing.T) {
	was := presets
	defer func() { presets = was }()
	probe := Preset{Name: "probe", Policy: was[0].Policy}
	probe.Policy.Signature = events.Signature{Schemes: []string{"ONE", "TWO"}}
	presets = append(slices.Clone(was), probe)

	if _, err := Effective("probe", json.RawMessage(`{"signature":{"schemes":["CHANGED"]}}`)); err != nil {
		t.Fatal(err)
	}
	Presets()[len(was)].Policy.Signature.Schemes[1] = "CHANGED"
	p, err := Effective("probe", nil)
	if err != nil || !slices.Equal(p.Signature.Schemes, []string{"ONE", "TWO"}) {
		t.Errorf("got %v, %v", p.Signature.Schemes, err)
	}
}
