package events_test

import (
	"strings"
	"testing"

	"github.com/keyledger/keyledger/events"
)

func TestSubject(t *testing.T) {
	for _, test := range []struct {
		subject      events.Subject
		text, source string
	}{
		{events.AccountSubject(account), "ledger.123456789012", "/accounts/123456789012"},
		{events.KeyringSubject(account, user), "ledger.123456789012.234567890123456789", "/accounts/123456789012/users/234567890123456789"},
		{events.ReservationSubject("LTAI5t-x_9"), "ledger.key.LTAI5t-x_9", "/keys/LTAI5t-x_9"},
		{events.ReservationSubject("123456789012"), "ledger.key.123456789012", "/keys/123456789012"},
	} {
		if got := test.subject.String(); got != test.text {
			t.Errorf("got %s, want %s", got, test.text)
		}
		if got := test.subject.Source(); got != test.source {
			t.Errorf("got %s, want %s", got, test.source)
		}
		if got, err := events.ParseSubject(test.text); err != nil || got != test.subject {
			t.Errorf("%s: got %v, %v", test.text, got, err)
		}
	}
}

func TestParseSubjectRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "want ledger.<account>",
		"ledger":                                "want ledger.<account>",
		"Ledger.123456789012":                   "want ledger.<account>",
		"used.123456789012":                     "want ledger.<account>",
		"ledger.":                               "want 12 digits, got 0",
		"ledger.*":                              "want 12 digits, got 1",
		"ledger.>":                              "want 12 digits, got 1",
		"ledger.12345678901x":                   "want digits only",
		"ledger.012345678901":                   "first digit may not be 0",
		"ledger.1234567890123":                  "want 12 digits, got 13",
		"ledger.123456789012.":                  "the user is missing",
		"ledger.123456789012.23456789012345678": "want 18 digits, got 17",
		"ledger.123456789012.234567890123456789.1": "want 18 digits, got 20",
		"ledger.123456789012.23456789012345678\n":  "want digits only",
		"ledger.key":     "want 12 digits, got 3",
		"ledger.key.":    "want 1 to 128 characters, got 0",
		"ledger.key.a.b": "got '.' at 1",
		"ledger.key.*":   "got '*' at 0",
		"ledger.Key.a":   "want 12 digits, got 3",
	} {
		if got, err := events.ParseSubject(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want an error: ... %s", text, got, err, want)
		}
	}
}

func TestAccessKeyIDs(t *testing.T) {
	for id, want := range map[events.AccessKeyID]string{
		"KLAK0123456789ABCDEF": "", "a-b_C9": "", "x": "", events.AccessKeyID(strings.Repeat("k", 128)): "",
		"": "got 0", events.AccessKeyID(strings.Repeat("k", 129)): "got 129", "a b": "got ' ' at 1", "ä": "got 'ä' at 0", "a.b": "got '.' at 1",
	} {
		err := id.Valid()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", id, err, want)
		}
	}
}

func TestGatewayTokenIDs(t *testing.T) {
	if err := token.Valid(); err != nil {
		t.Error(err)
	}
	for _, id := range []events.GatewayTokenID{
		"", "KLGT", "KLGT0123456789ABCDE", "KLGT0123456789ABCDEF0", "KLGT0123456789ABCDEU", "KLGTU123456789ABCDEF",
		"klgt0123456789abcdef", "KLAK0123456789ABCDEF", "KLGT0123456 89ABCDEF", "KLGT0123456789ABCDÉ",
	} {
		if id.Valid() == nil {
			t.Errorf("%q is valid", id)
		}
	}
}

// FuzzSubject: a subject is its text and nothing else is.
func FuzzSubject(f *testing.F) {
	for _, text := range []string{"ledger.123456789012", "ledger.123456789012.234567890123456789", "ledger.>", "ledger..", "ledger.key.LTAI5tX", "ledger.key.>", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := events.ParseSubject(text)
		if err != nil {
			return
		}
		if got := s.String(); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
		if err := s.Valid(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
