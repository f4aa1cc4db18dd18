package ledger_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/logtest"
	"github.com/keyledger/keyledger/services/ledger/ledgertest"
)

// A token opens the door from the moment it was answered to the moment its
// revocation was, and what the log keeps of it is no token.
func TestGatewayToken(t *testing.T) {
	w, _ := newWorld(t)
	a := w.Open(t, "strict").Account
	created, err := w.CreateGatewayToken(t.Context(), ledgertest.Request("create"), a, "edge", false)
	if err != nil || created.Token == nil {
		t.Fatalf("got %+v, %v", created, err)
	}
	token := created.Token.Reveal()
	for range 3 {
		g, found, err := w.Views.Gateway(string(token))
		if err != nil || !found || g.ID != created.ID || g.Account != a || g.Name != "edge" || g.Installation {
			t.Fatalf("got %+v, %v, %v", g, found, err)
		}
		again, err := w.CreateGatewayToken(t.Context(), ledgertest.Request("create"), a, "edge", false)
		if err != nil || again.Token != nil || again.ID != created.ID || !again.Repeated {
			t.Fatalf("sent again: %+v, %v", again, err)
		}
	}
	for m, err := range w.Log.Read(t.Context(), 0) {
		if err != nil || bytes.Contains(m.Data, token) {
			t.Errorf("at %d: %v, or the log holds a token", m.Position, err)
		}
	}
	if _, err := w.RevokeGatewayToken(t.Context(), ledgertest.Request("revoke"), a, created.ID); err != nil {
		t.Fatal(err)
	}
	if g, found, err := w.Views.Gateway(string(token)); found || err != nil {
		t.Errorf("revoked, and found: %+v, %v", g, err)
	}
	for _, text := range []string{"", "klgw_", string(token) + "0", string(token[:40])} {
		if g, found, err := w.Views.Gateway(text); found || err != nil {
			t.Errorf("%d characters that are no token: %+v, %v", len(text), g, err)
		}
	}
}

// A token is revoked in its own account only, and by a full disk too.
func TestRevokeGatewayToken(t *testing.T) {
	w, log := newWorld(t)
	a, other := w.Open(t, "strict").Account, w.Open(t, "strict").Account
	created, err := w.CreateGatewayToken(t.Context(), ledgertest.Request("create"), a, "edge", false)
	if err != nil {
		t.Fatal(err)
	}
	var refusal *aggregate.Refusal
	if _, err := w.RevokeGatewayToken(t.Context(), ledgertest.Request(""), other, created.ID); !errors.As(err, &refusal) || refusal.Rule != "gateway_token.not_found" {
		t.Errorf("in another account: %v", err)
	}
	log.Fail(func(d events.Decision) logtest.Fault {
		if d.Reserve {
			return logtest.None
		}
		return logtest.Off
	})
	var off *events.UnavailableError
	if _, err := w.CreateGatewayToken(t.Context(), ledgertest.Request(""), a, "edge", false); !errors.As(err, &off) {
		t.Errorf("created while writes are off: %v", err)
	}
	if _, err := w.RevokeGatewayToken(t.Context(), ledgertest.Request(""), a, created.ID); err != nil {
		t.Errorf("revoked from the reserve: %v", err)
	}
	if _, found, err := w.Views.Gateway(string(created.Token.Reveal())); found || err != nil {
		t.Errorf("revoked, and found: %v", err)
	}
}
