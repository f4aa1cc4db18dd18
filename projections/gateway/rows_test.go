package gateway

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

func sample() Token {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return Token{
		ID: "KLGT0123456789ABCDEF", Account: "100000000001", Name: "edge", Installation: true,
		CreatedAt: at, RevokedAt: at.Add(time.Hour), Created: 7, Last: 9,
	}
}

func TestEveryFieldIsKept(t *testing.T) {
	v := reflect.ValueOf(sample())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test leaves out %s", v.Type().Field(i).Name)
		}
	}
	if got, err := parseToken(appendToken(nil, sample())); err != nil || got != sample() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzParseRows(f *testing.F) {
	token, hash := sample(), strings.Repeat("0123456789abcdef", 4)
	f.Add(appendToken(nil, token))
	f.Add(tokens.AppendKey(nil, hash))
	f.Add(tokensByID.AppendKey(nil, tokenID{token.Account, token.ID}))
	f.Add(tokensByAge.AppendKey(nil, agedToken{token.Account, 7, token.ID}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, b, parseToken, appendToken)
		key(t, b, tokens)
		key(t, b, tokensByID)
		key(t, b, tokensByAge)
		again(t, b, tokensByID.ParseValue, func(dst []byte, hash string) []byte { return tokensByID.AppendValue(dst, hash) })
	})
}

func key[K, V any](t *testing.T, b []byte, table projections.Table[K, V]) {
	again(t, b, table.ParseKey, table.AppendKey)
}

func again[T any](t *testing.T, b []byte, parse func([]byte) (T, error), write func([]byte, T) []byte) {
	if v, err := parse(b); err == nil && !bytes.Equal(write(nil, v), b) {
		t.Errorf("read %x as %+v", b, v)
	}
}

// The key that a verification looks up is the hash in its 32 bytes.
func TestHashIsPacked(t *testing.T) {
	if got := len(tokens.AppendKey(nil, strings.Repeat("0123456789abcdef", 4))); got != 33 {
		t.Errorf("the key of a hash takes %d bytes, want 33", got)
	}
	if got := tokensByID.AppendKey(nil, tokenID{"100000000001", events.GatewayTokenID("KLGT0123456789ABCDEF")}); len(got) != 25 {
		t.Errorf("the key of an ID takes %d bytes, want 25", len(got))
	}
}
