package api

import (
	"errors"
	"log/slog"
	"net/http"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/verify"
)

// TestFault has vendors' fronts say of what may succeed later that it may, as the native API does.
func TestFault(t *testing.T) {
	s := &server{Config: Config{Logger: slog.New(slog.DiscardHandler)}}
	off := &events.UnavailableError{Reason: "the disk is nearly full"}
	for _, test := range []struct {
		err  error
		want dialect.Kind
	}{
		{off, dialect.Unavailable},
		{&RecordsDamagedError{off}, dialect.Unavailable},
		{events.ErrUnread, dialect.Unavailable},
		{verify.ErrStale, dialect.Unavailable},
		{verify.ErrRefilling, dialect.Unavailable},
		{verify.ErrCrowded, dialect.Unavailable},
		{ledger.ErrUnknown, dialect.Unknown},
		{problem(http.StatusForbidden, codeDenied, ""), dialect.Denied},
		{errors.New("something"), dialect.Internal},
	} {
		got := new(dialect.Fault)
		if !errors.As(s.fault(test.err, "id"), &got) || got.Kind != test.want {
			t.Errorf("%v: got kind %v, want %v", test.err, got.Kind, test.want)
		}
		if p := problemOf(test.err); p.Retryable != (test.want == dialect.Unavailable || test.want == dialect.Unknown) {
			t.Errorf("%v: the native API says retryable %v", test.err, p.Retryable)
		}
	}
}
