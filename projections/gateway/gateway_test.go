package gateway_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/gateway"
	"github.com/keyledger/keyledger/projections/projtest"
)

func story(seed uint64, n int) []events.Message {
	h := projtest.NewHistory(seed)
	h.MaxGatewayTokens = 4
	return h.Messages(n)
}

func TestPromises(t *testing.T) {
	projtest.Run(t, func() []projections.Part { return projtest.Critical(gateway.New()) }, story(2, 800))
}

// model is what tokens must be: by hash, and in each account newest first.
func model(messages []events.Message) (map[string]gateway.Token, map[events.AccountID][]string) {
	byHash, byAge := map[string]gateway.Token{}, map[events.AccountID][]string{}
	hashes := map[events.GatewayTokenID]string{}
	for _, r := range projtest.Records(messages) {
		for _, e := range r.Events {
			switch e := e.Event.(type) {
			case events.GatewayTokenCreated:
				hashes[e.Token] = e.Hash
				byHash[e.Hash] = gateway.Token{
					ID: e.Token, Account: r.Subject.Account, Name: e.Name, Installation: e.Installation,
					CreatedAt: r.Meta.Time, Created: r.Position, Last: r.Position,
				}
				byAge[r.Subject.Account] = append([]string{e.Hash}, byAge[r.Subject.Account]...)
			case events.GatewayTokenRevoked:
				t := byHash[hashes[e.Token]]
				t.RevokedAt, t.Last = r.Meta.Time, r.Position
				byHash[hashes[e.Token]] = t
			}
		}
	}
	return byHash, byAge
}

func TestEveryTokenAndList(t *testing.T) {
	messages := story(4, 3000)
	s := projtest.Told(t, gateway.New(), messages)
	byHash, byAge := model(messages)
	live, revoked := 0, 0
	for hash, want := range byHash {
		if want.RevokedAt.IsZero() {
			live++
		} else {
			revoked++
		}
		if got, found, err := gateway.ByHash(s.Store, hash); !found || err != nil || got != want {
			t.Errorf("by hash: got %+v, %v, %v\nwant %+v", got, found, err, want)
		}
		if got, found, err := gateway.Find(s.Store, want.Account, want.ID); !found || err != nil || got != want {
			t.Errorf("by ID: got %+v, %v, %v\nwant %+v", got, found, err, want)
		}
	}
	if live < 5 || revoked < 5 || len(byAge) < 3 {
		t.Fatalf("the story is too thin: %d, %d, %d", live, revoked, len(byAge))
	}
	for account, hashes := range byAge {
		var want []gateway.Token
		for _, hash := range hashes {
			want = append(want, byHash[hash])
		}
		got := projtest.Pages(t, 2, func(cursor string) (projections.Page[gateway.Token], error) {
			return gateway.List(s.Store, account, cursor, 2)
		})
		if !slices.Equal(got, want) {
			t.Errorf("tokens of %s: got %v\nwant %v", account, got, want)
		}
	}
}

const (
	acme  = events.AccountID("100000000001")
	other = events.AccountID("100000000002")
	edge  = events.GatewayTokenID("KLGT0000000000000001")
)

func created(id events.GatewayTokenID, digit string) events.Event {
	return events.GatewayTokenCreated{Token: id, Name: "edge", Account: acme, Hash: strings.Repeat(digit, 64)}
}

// What is not there is not found, whatever it looks like; and a token is found in its
// own account only.
func TestUnknownTokens(t *testing.T) {
	h := projtest.NewHistory(1)
	s := projtest.Told(t, gateway.New(), []events.Message{h.Record(events.AccountSubject(acme), created(edge, "a"))})
	for _, hash := range []string{"", "a", strings.Repeat("a", 63), strings.Repeat("a", 65), strings.Repeat("A", 64), strings.Repeat("b", 64)} {
		if got, found, err := gateway.ByHash(s.Store, hash); found || err != nil {
			t.Errorf("%q: got %+v, %v, %v", hash, got, found, err)
		}
	}
	if got, found, err := gateway.Find(s.Store, other, edge); found || err != nil {
		t.Errorf("in another account: got %+v, %v", got, err)
	}
	if page, err := gateway.List(s.Store, other, "", 10); len(page.Items) > 0 || err != nil {
		t.Errorf("in another account: got %+v, %v", page, err)
	}
}

func TestCursorsAreBoundToTheAccount(t *testing.T) {
	h := projtest.NewHistory(1)
	of := events.AccountSubject(acme)
	s := projtest.Told(t, gateway.New(), []events.Message{h.Record(of, created(edge, "a")), h.Record(of, created("KLGT0000000000000002", "b"))})
	page, err := gateway.List(s.Store, acme, "", 1)
	if err != nil || page.Next == "" {
		t.Fatalf("got %+v, %v", page, err)
	}
	var refused *projections.CursorError
	if _, err := gateway.List(s.Store, other, page.Next, 1); !errors.As(err, &refused) {
		t.Errorf("another account: got %v", err)
	}
}

func TestWhatNoLogWouldHoldIsRefused(t *testing.T) {
	for name, last := range map[string]events.Event{
		"created twice":       created(edge, "b"),
		"a hash twice":        created("KLGT0000000000000002", "a"),
		"nothing revoked":     events.GatewayTokenRevoked{Token: "KLGT0000000000000002"},
		"revoked once more":   events.GatewayTokenRevoked{Token: "KLGT0000000000000003"},
		"revoked from beside": events.GatewayTokenRevoked{Token: edge},
	} {
		h := projtest.NewHistory(1)
		of := events.AccountSubject(acme)
		if name == "revoked from beside" {
			of = events.AccountSubject(other)
		}
		first := h.Record(events.AccountSubject(acme), created(edge, "a"), created("KLGT0000000000000003", "c"), events.GatewayTokenRevoked{Token: "KLGT0000000000000003"})
		s := projtest.Start(t, vfs.NewMem(), projtest.NewLog(first, h.Record(of, last)), projtest.Critical(gateway.New()))
		var degraded *projections.DegradedError
		if err := s.Runner.Wait(t.Context(), 2); !errors.As(err, &degraded) || degraded.Position != 2 {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A verification looks up a hash: one row, however many tokens there are.
func BenchmarkByHash(b *testing.B) {
	messages := story(4, 3000)
	s := projtest.Told(b, gateway.New(), messages)
	byHash, _ := model(messages)
	var hash string
	for hash = range byHash {
		break
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, found, err := gateway.ByHash(s.Store, hash); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}
