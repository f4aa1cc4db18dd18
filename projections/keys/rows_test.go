package keys

import (
	"bytes"
	"cmp"
	"reflect"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"pgregory.net/rapid"
)

// network has every field.
var network = events.NetworkPolicy{Status: events.NetworkActive, Statements: []events.NetworkStatement{
	{Type: events.NetworkVPC, VPC: "vpc-1", Addresses: []string{"10.0.0.0/8", "::1"}}, {Type: events.NetworkAddress, Addresses: []string{"192.0.2.1"}},
}}

func FuzzParseRows(f *testing.F) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	k := Key{ID: "KLAK1", Account: "100000000001", User: "200000000000000001", Status: Deleted, Description: "d", Cause: "requested", Reason: "leaked",
		PurgeCause: "retention", CreatedAt: at, ChangedAt: at, DeletedAt: at, PurgeAt: at, PurgedAt: at, Created: 7, Last: 9}
	f.Add(appendKey(nil, k))
	k.Network = network
	f.Add(appendKey(nil, k))
	k.Restriction = Restriction{Since: at, Reason: "leaked", FoundIn: "https://git.example/app"}
	f.Add(appendKey(nil, k))
	k.Network = events.NetworkPolicy{}
	f.Add(appendKey(nil, k))
	f.Add(appendSealed(nil, events.Sealed{Layout: 1, Version: 2, Epoch: 3, Ciphertext: []byte("c"), WrappedKey: []byte("w")}))
	f.Add(appendUserPlace(nil, userPlace(&k)))
	f.Add(appendAccountPlace(nil, accountPlace(&k)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := parseKey(b); err == nil && !bytes.Equal(appendKey(nil, k), b) {
			t.Errorf("key %x: %+v", b, k)
		}
		if s, err := parseSealed(b); err == nil && !bytes.Equal(appendSealed(nil, s), b) {
			t.Errorf("sealed %x", b)
		}
		if p, err := parseUserPlace(b); err == nil && !bytes.Equal(appendUserPlace(nil, p), b) {
			t.Errorf("user place %x: %+v", b, p)
		}
		if p, err := parseAccountPlace(b); err == nil && !bytes.Equal(appendAccountPlace(nil, p), b) {
			t.Errorf("account place %x: %+v", b, p)
		}
	})
}

// TestEveryFieldIsKept fills every field, so that a new one cannot be left out
// of the codec.
func TestEveryFieldIsKept(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	k := Key{ID: "KLAK1", Account: "100000000001", User: "200000000000000001", Status: Purged, Description: "d", Cause: "c", Reason: "r",
		PurgeCause: "p", CreatedAt: at, ChangedAt: at.Add(1), DeletedAt: at.Add(2), PurgeAt: at.Add(3), PurgedAt: at.Add(4), Created: 7, Last: 9, Network: network,
		Restriction: Restriction{Since: at.Add(5), Reason: "leaked", FoundIn: "https://git.example/app"}}
	v := reflect.ValueOf(k)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test leaves out %s", v.Type().Field(i).Name)
		}
	}
	if got, err := parseKey(appendKey(nil, k)); err != nil || !reflect.DeepEqual(got, k) {
		t.Errorf("got %+v, %v", got, err)
	}
	r := k.Restriction
	for form, edit := range map[byte]func(*Key){
		1: func(k *Key) { k.Network, k.Restriction = events.NetworkPolicy{}, Restriction{} },
		2: func(k *Key) { k.Network, k.Restriction = network, Restriction{} },
		3: func(k *Key) { k.Network, k.Restriction = events.NetworkPolicy{}, r },
		4: func(k *Key) { k.Network, k.Restriction = network, r },
	} {
		edit(&k)
		b := appendKey(nil, k)
		if got, err := parseKey(b); b[0] != form || err != nil || !reflect.DeepEqual(got, k) {
			t.Errorf("in form %d, want %d: got %+v, %v", b[0], form, got, err)
		}
	}
}

// TestOrder holds that byte order is the order of the list: scope, shelf,
// newest first.
func TestOrder(t *testing.T) {
	places := rapid.Custom(func(t *rapid.T) place {
		return place{
			scope:   events.KeyringSubject(events.AccountID(rapid.SampledFrom([]string{"100000000001", "999999999999"}).Draw(t, "a")), events.UserID(rapid.SampledFrom([]string{"200000000000000001", "999999999999999999"}).Draw(t, "u"))),
			shelf:   rapid.ByteRange(0, 1).Draw(t, "shelf"),
			created: events.Position(rapid.Uint64().Draw(t, "created")),
			id:      events.AccessKeyID(rapid.StringMatching(`[A-Z0-9]{1,5}`).Draw(t, "id")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := places.Draw(t, "a"), places.Draw(t, "b")
		want := cmp.Or(cmp.Compare(a.scope.Account, b.scope.Account), cmp.Compare(a.scope.User, b.scope.User), cmp.Compare(a.shelf, b.shelf), cmp.Compare(b.created, a.created), cmp.Compare(a.id, b.id))
		if got := bytes.Compare(appendUserPlace(nil, a), appendUserPlace(nil, b)); got != want {
			t.Fatalf("%+v, %+v: got %d, want %d", a, b, got, want)
		}
		a.scope.User, b.scope.User = "", ""
		want = cmp.Or(cmp.Compare(a.scope.Account, b.scope.Account), cmp.Compare(a.shelf, b.shelf), cmp.Compare(b.created, a.created), cmp.Compare(a.id, b.id))
		if got := bytes.Compare(appendAccountPlace(nil, a), appendAccountPlace(nil, b)); got != want {
			t.Fatalf("%+v, %+v: got %d, want %d", a, b, got, want)
		}
	})
}
