package directory

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/projections"
)

func samples() (Account, User) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return Account{ID: "100000000001", Name: "ACME", Operator: true, Preset: "strict", Root: "200000000000000001", CreatedAt: at, Created: 7, Last: 9},
		User{Account: "100000000001", ID: "200000000000000001", Name: "Anna", Kind: "user", Role: "admin", Grants: []string{"g"}, CreatedAt: at, Created: 7, Last: 9}
}

func TestEveryFieldIsKept(t *testing.T) {
	a, u := samples()
	for _, v := range []reflect.Value{reflect.ValueOf(a), reflect.ValueOf(u)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("the test leaves out %s", v.Type().Field(i).Name)
			}
		}
	}
	if got, err := parseAccount(appendAccount(nil, a)); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := parseUser(appendUser(nil, u)); err != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func FuzzParseRows(f *testing.F) {
	a, u := samples()
	f.Add(appendAccount(nil, a))
	f.Add(appendUser(nil, u))
	f.Add(accountsByName.AppendKey(nil, namedAccount{"acme", a.ID}))
	f.Add(accountsByAge.AppendKey(nil, agedAccount{7, a.ID}))
	f.Add(usersByName.AppendKey(nil, namedUser{a.ID, "anna"}))
	f.Add(usersByAge.AppendKey(nil, agedUser{a.ID, 7, u.ID}))
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, b, parseAccount, appendAccount)
		again(t, b, parseUser, appendUser)
		key(t, b, accounts)
		key(t, b, accountsByName)
		key(t, b, accountsByAge)
		key(t, b, users)
		key(t, b, usersByName)
		key(t, b, usersByAge)
		again(t, b, usersByName.ParseValue, func(dst []byte, u events.UserID) []byte { return usersByName.AppendValue(dst, u) })
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
