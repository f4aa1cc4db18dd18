package aggregate_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/keyledger/keyledger/aggregate"
)

// A refusal is found however it was wrapped, and reads as rule and sentence.
func TestRefusal(t *testing.T) {
	err := fmt.Errorf("while creating: %w", aggregate.Refuse(aggregate.Limit, "key.quota", "the user has %d keys", 2))
	var refused *aggregate.Refusal
	if !errors.As(err, &refused) {
		t.Fatalf("got %v", err)
	}
	if want := (aggregate.Refusal{Kind: aggregate.Limit, Rule: "key.quota", Detail: "the user has 2 keys"}); *refused != want {
		t.Errorf("got %#v, want %#v", *refused, want)
	}
	if got := refused.Error(); got != "key.quota: the user has 2 keys" {
		t.Errorf("got %q", got)
	}
}
