package account_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/keyledger/keyledger/aggregate/account"
	"github.com/keyledger/keyledger/aggregate/policy"
	"github.com/keyledger/keyledger/events"
)

var keptUser = account.User{
	ID: "234567890123456789", Name: "alice", Kind: events.KindUser, Role: events.RoleAuditor, Grants: []string{events.GrantManageOwnKeys},
}

// The bytes on disk, for as long as this layout is read.
const keptUserBytes = "\x01\x12234567890123456789\x05alice\x04user\x07auditor\x01\x0fmanage-own-keys"

func TestUserOnDisk(t *testing.T) {
	if got := string(account.AppendUser([]byte("before"), keptUser)); got != "before"+keptUserBytes {
		t.Errorf("got\n%q\nwant\n%q", got, "before"+keptUserBytes)
	}
	if got, err := account.ParseUser([]byte(keptUserBytes)); err != nil || !reflect.DeepEqual(got, keptUser) {
		t.Errorf("got %#v, %v", got, err)
	}
}

func TestParseUserRefuses(t *testing.T) {
	for n := range len(keptUserBytes) {
		if u, err := account.ParseUser([]byte(keptUserBytes[:n])); err == nil {
			t.Errorf("the first %d bytes: got %#v", n, u)
		}
	}
	for _, data := range []string{keptUserBytes + "\x00", "\x02" + keptUserBytes[1:], "\x01\x00\x00\x00\x00\xff\xff\xff\xff\x0f", "\x01\x00\x00\x00\x00\xff"} {
		if u, err := account.ParseUser([]byte(data)); err == nil {
			t.Errorf("%q: got %#v", data, u)
		}
	}
}

// A parsed user shares nothing with what it was parsed from: that is the store's.
func TestParseUserCopies(t *testing.T) {
	data := []byte(keptUserBytes)
	u, err := account.ParseUser(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !reflect.DeepEqual(u, keptUser) {
		t.Errorf("got %#v", u)
	}
}

func keptState(t testing.TB) account.State {
	p, err := policy.Effective("strict", json.RawMessage(`{"signature":{"schemes":["AWS4-HMAC-SHA256"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return account.State{
		Opened: true, ID: "123456789012", Name: "Example, Inc.", Operator: true, Preset: "strict",
		Overrides: json.RawMessage(`{"signature":{"schemes":["AWS4-HMAC-SHA256"]}}`), Policy: p, RootUser: "234567890123456789",
		LiveGatewayTokens: 3, Network: keptNetwork,
	}
}

var keptNetwork = events.NetworkPolicy{Status: events.NetworkActive, Statements: []events.NetworkStatement{
	{Type: events.NetworkVPC, VPC: "any", Addresses: []string{"10.0.0.0/8", "::1"}},
}}

// The bytes on disk, for as long as these layouts are read.
const (
	keptStateBytes   = "\x04" + keptStateFields + "\x06" + keptNetworkBytes + "\x08deny-all\x05admin"
	thirdStateBytes  = "\x03" + keptStateFields + "\x06" + keptNetworkBytes // before there was a rule on leaks
	secondStateBytes = "\x02" + keptStateFields + "\x06"                    // before there were networks
	firstStateBytes  = "\x01" + keptStateFields                             // before there were gateway tokens
)

const keptNetworkBytes = "\x09intersect" + "\x06active\x01\x03vpc\x03any\x02\x0a10.0.0.0/8\x03::1"

const keptStateFields = "\x01" + "\x0c123456789012" + "\x0dExample, Inc." + "\x01" + "\x06strict" +
	"\x2e" + `{"signature":{"schemes":["AWS4-HMAC-SHA256"]}}` + "\x12234567890123456789" +
	"\x04" + "\x0factive+disabled" + "\x80\xb4\xbc\x02" + "\x14" + "\x06refuse" + "\x01" + "\x01" + "\x80\xea\x49" + "\x04warn" +
	"\x05click" + "\x05click" + "\x0btype:key_id" + "\x04warn" + "\x02on" + "\x01\x10AWS4-HMAC-SHA256"

// Every field of the header is kept: a field that the codec forgets is zero when it
// comes back.
func TestEveryFieldIsKept(t *testing.T) {
	var zero func(path string, v reflect.Value)
	zero = func(path string, v reflect.Value) {
		switch {
		case path == ".Users" || path == ".GatewayTokens": // not of the header
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				zero(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case v.IsZero():
			t.Errorf("%s is zero; want a value, so that its coming back is seen", path)
		}
	}
	s, err := account.ParseState(account.AppendState(nil, keptState(t)))
	if err != nil {
		t.Fatal(err)
	}
	zero("", reflect.ValueOf(s))
}

func TestStateOnDisk(t *testing.T) {
	want := keptState(t)
	withUsers := want
	withUsers.Users = map[events.UserID]account.User{keptUser.ID: keptUser}
	withUsers.GatewayTokens = map[events.GatewayTokenID]account.GatewayToken{keptToken.ID: keptToken}
	data := account.AppendState([]byte("before"), withUsers)
	if got := string(data); got != "before"+keptStateBytes {
		t.Errorf("got\n%q\nwant\n%q", got, "before"+keptStateBytes)
	}
	if got, err := account.ParseState(data[len("before"):]); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v\nwant %#v", got, err, want)
	}
	if got, err := account.ParseState(account.AppendState(nil, account.State{})); err != nil || !reflect.DeepEqual(got, account.State{}) {
		t.Errorf("got %#v, %v", got, err)
	}
}

// A header that was written before there was a rule on leaks, networks or gateway tokens has none.
func TestFirstStatesAreRead(t *testing.T) {
	want := keptState(t)
	want.Policy.Leak = events.LeakRule{}
	if got, err := account.ParseState([]byte(thirdStateBytes)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v\nwant %#v", got, err, want)
	}
	want.Network, want.Policy.Network = events.NetworkPolicy{}, events.NetworkRule{}
	if got, err := account.ParseState([]byte(secondStateBytes)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v\nwant %#v", got, err, want)
	}
	want.LiveGatewayTokens = 0
	if got, err := account.ParseState([]byte(firstStateBytes)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v\nwant %#v", got, err, want)
	}
	for _, data := range []string{firstStateBytes + "\x06", "\x02" + firstStateBytes[1:], "\x01" + keptStateBytes[1:], "\x03" + secondStateBytes[1:], "\x02" + thirdStateBytes[1:], "\x04" + thirdStateBytes[1:], "\x03" + keptStateBytes[1:]} {
		if s, err := account.ParseState([]byte(data)); err == nil {
			t.Errorf("%q: got %#v", data, s)
		}
	}
}

var keptToken = account.GatewayToken{ID: "KLGT0123456789ABCDEF", Name: "edge", Revoked: true}

// The bytes on disk, for as long as this layout is read.
const keptTokenBytes = "\x01\x14KLGT0123456789ABCDEF\x04edge\x01"

func TestGatewayTokenOnDisk(t *testing.T) {
	data := account.AppendGatewayToken([]byte("before"), keptToken)
	if got := string(data); got != "before"+keptTokenBytes {
		t.Errorf("got\n%q\nwant\n%q", got, "before"+keptTokenBytes)
	}
	data = data[len("before"):]
	got, err := account.ParseGatewayToken(data)
	clear(data) // it is the store's
	if err != nil || got != keptToken {
		t.Errorf("got %#v, %v", got, err)
	}
	for _, data := range []string{keptTokenBytes + "\x00", "\x02" + keptTokenBytes[1:], keptTokenBytes[:len(keptTokenBytes)-1] + "\x02", ""} {
		if token, err := account.ParseGatewayToken([]byte(data)); err == nil {
			t.Errorf("%q: got %#v", data, token)
		}
	}
	for n := range len(keptTokenBytes) {
		if token, err := account.ParseGatewayToken([]byte(keptTokenBytes[:n])); err == nil {
			t.Errorf("the first %d bytes: got %#v", n, token)
		}
	}
}

// FuzzParseGatewayToken: any bytes are a gateway token or are refused; a token is
// written so that it reads the same.
func FuzzParseGatewayToken(f *testing.F) {
	f.Add([]byte(keptTokenBytes))
	f.Add(account.AppendGatewayToken(nil, account.GatewayToken{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := account.ParseGatewayToken(data)
		if err != nil {
			return
		}
		again, err := account.ParseGatewayToken(account.AppendGatewayToken(nil, token))
		if err != nil || again != token {
			t.Fatalf("%v\n%#v\nwant\n%#v", err, again, token)
		}
	})
}

func TestParseStateRefuses(t *testing.T) {
	whole := string(account.AppendState(nil, keptState(t)))
	for n := range whole {
		if s, err := account.ParseState([]byte(whole[:n])); err == nil {
			t.Errorf("the first %d bytes: got %#v", n, s)
		}
	}
	for _, data := range []string{whole + "\x00", "\x05" + whole[1:], "\x04\x02" + whole[2:], "\x04\x01\xff\xff\xff\xff\x7f"} {
		if s, err := account.ParseState([]byte(data)); err == nil {
			t.Errorf("%q: got %#v", data, s)
		}
	}
}

// FuzzParseUser: any bytes are a user or are refused; a user is written so that it
// reads the same.
func FuzzParseUser(f *testing.F) {
	f.Add([]byte(keptUserBytes))
	f.Add(account.AppendUser(nil, account.User{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := account.ParseUser(data)
		if err != nil {
			return
		}
		again, err := account.ParseUser(account.AppendUser(nil, u))
		if err != nil || !reflect.DeepEqual(again, u) {
			t.Fatalf("%v\n%#v\nwant\n%#v", err, again, u)
		}
	})
}

// FuzzParseState: the same for an account's header.
func FuzzParseState(f *testing.F) {
	f.Add(account.AppendState(nil, keptState(f)))
	f.Add(account.AppendState(nil, account.State{}))
	f.Add([]byte(firstStateBytes))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := account.ParseState(data)
		if err != nil {
			return
		}
		once := account.AppendState(nil, s)
		again, err := account.ParseState(once)
		if err != nil || string(account.AppendState(nil, again)) != string(once) {
			t.Fatalf("%v\n%#v\nwant\n%#v", err, again, s)
		}
	})
}

func BenchmarkParseUser(b *testing.B) {
	data := []byte(keptUserBytes)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := account.ParseUser(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendUser(b *testing.B) {
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = account.AppendUser(dst[:0], keptUser)
	}
}

func BenchmarkParseState(b *testing.B) {
	data := account.AppendState(nil, keptState(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := account.ParseState(data); err != nil {
			b.Fatal(err)
		}
	}
}
