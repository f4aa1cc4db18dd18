package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/keyledger/keyledger/events"
)

var update = flag.Bool("update", false, "write the samples of facts that have none yet; those that are there are never touched")

const (
	account = events.AccountID("123456789012")
	user    = events.UserID("234567890123456789")
	key     = events.AccessKeyID("KLAK0123456789ABCDEF")
	token   = events.GatewayTokenID("KLGT0123456789ABCDEF")

	tokenHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

var purgeAt = time.Date(2026, 3, 31, 12, 30, 45, 123456789, time.UTC)

// everyPolicy has a value in each field.
var everyPolicy = events.Policy{
	Quota:       events.Quota{Max: 2, Counts: "active+disabled"},
	Recycle:     events.Recycle{RetentionSeconds: 2592000, MaxPerUser: 10, Overflow: "refuse", AppliesToRoot: true},
	Delete:      events.DeleteRule{RequiresDisabled: true, MinIdleSeconds: 604800, MinIdleMode: "warn"},
	Confirm:     events.Confirm{Disable: "click", Enable: "none", Delete: "type:key_id"},
	Root:        events.RootRule{Create: "warn"},
	SelfService: "on",
	Signature:   events.Signature{Schemes: []string{"AWS4-HMAC-SHA256"}},
}

// samples has, for every fact and version that was ever written, what its kept
// message means today. Add lines; never edit or remove one.
var samples = []struct {
	version int
	event   events.Event
}{
	{1, events.KeyCreated{
		Key: key, Description: "deploy robot", Cause: events.CauseRequested, Warnings: []string{"root.create"},
		Sealed: events.Sealed{Layout: 1, Version: 1, Epoch: 3, Ciphertext: []byte("ciphertext"), WrappedKey: []byte("wrapped key")},
	}},
	{1, events.KeyDisabled{Key: key, Reason: "rotation <2026>"}},
	{1, events.KeyEnabled{Key: key}},
	{1, events.KeyDeleted{Key: key, PurgeAt: purgeAt, Warnings: []string{"delete.min_idle"}}},
	{1, events.KeyRestored{Key: key}},
	{1, events.KeyPurged{Key: key, Cause: events.CauseRetention}},
	{1, events.KeyDescribed{Key: key, Description: "Schlüssel für „Abrechnung“"}},
	{1, events.KeyringClosed{User: user}},
	{1, events.KeyringReopened{User: user}},
	{1, events.AccountOpened{
		Account: account, Name: "Example, Inc.", Operator: true, Preset: "strict",
		Overrides: json.RawMessage(`{"signature":{"schemes":["AWS4-HMAC-SHA256"]}}`), Policy: everyPolicy,
	}},
	{1, events.PolicyChanged{Account: account, Preset: "alibaba", Overrides: json.RawMessage(`{"quota":{"max":5}}`), Policy: everyPolicy}},
	{1, events.UserAdded{User: user, Name: "alice@example.com", UserKind: events.KindCollaborator, Role: events.RoleAuditor}},
	{1, events.UserRenamed{User: user, From: "alice", To: "Alice"}},
	{1, events.UserRoleChanged{User: user, From: events.RoleUser, To: events.RoleAdmin}},
	{1, events.UserGranted{User: user, Grant: events.GrantManageOwnKeys}},
	{1, events.UserGrantRevoked{User: user, Grant: events.GrantManageOwnKeys}},
	{1, events.UserRemoved{User: user, Name: "alice"}},
	{1, events.RecordAcknowledged{Projection: "audit", Position: 4711, Reason: "written by a build that was withdrawn"}},
	{1, events.ClockConfirmed{Account: account, Clock: purgeAt}},
	{1, events.GatewayTokenCreated{Token: token, Name: "edge <eu>", Account: account, Installation: true, Hash: tokenHash}},
	{1, events.GatewayTokenRevoked{Token: token, Name: "edge <eu>"}},
	{1, events.AccountNetworkPolicySet{Account: account, NetworkPolicy: events.NetworkPolicy{
		Status: events.NetworkActive, Statements: []events.NetworkStatement{
			{Type: events.NetworkAddress, Addresses: []string{"192.0.2.17", "198.51.100.0/24", "2001:db8::/32"}},
			{Type: events.NetworkVPC, VPC: "vpc-1", Addresses: []string{"10.0.0.0/8"}},
		},
	}}},
	{1, events.KeyNetworkPolicySet{Key: key, NetworkPolicy: events.NetworkPolicy{Status: events.NetworkInactive}}},
	{1, events.KeyReserved{Key: "LTAI5tImported", Account: account, User: user}},
	{1, events.KeyRestricted{Key: key, Reason: "found by a scanner", FoundIn: "https://git.example/acme/app/blob/main/deploy.sh?a=1&b=2"}},
	{1, events.KeyUnrestricted{Key: key, Reason: "it was the <sample> of our manual"}},
}

func samplePath(name string, version int) string {
	return filepath.Join("testdata", "facts", name, fmt.Sprintf("v%d.json", version))
}

// decisionOf is a decision of one event as the ledger would append it.
func decisionOf(es ...events.Event) events.Decision {
	d := events.Decision{
		Subject: events.KeyringSubject(account, user),
		Meta: events.Meta{
			Time: time.Date(2026, 3, 1, 12, 30, 45, 123456789, time.UTC), Actor: events.UserActor(account, user),
			ActorKey: "KLAK0123456789ABCDEG", Request: "01977e9a-5f3c-7d52-9b1e-3c2a1b0f9e8d",
			Digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Scope: "123456789013",
			SourceIP: "192.0.2.17", Dialect: "aws", Policy: 17,
		},
	}
	for i, e := range es {
		d.Events = append(d.Events, events.Recorded{ID: events.EventID(fmt.Sprintf("01977e9a-5f3c-7d52-9b1e-3c2a1b0f9e%02x", i)), Event: e})
	}
	return d
}

func messageOf(t testing.TB, d events.Decision) events.Message {
	t.Helper()
	data, err := events.Encode(d)
	if err != nil {
		t.Fatal(err)
	}
	return events.Message{Position: 42, Subject: d.Subject.String(), Data: data}
}

// Every fact that was ever written is still read, and the newest version is
// written as it was when it was introduced, byte for byte.
func TestFacts(t *testing.T) {
	for _, sample := range samples {
		t.Run(fmt.Sprintf("%s.v%d", sample.event.Kind(), sample.version), func(t *testing.T) {
			d := decisionOf(sample.event)
			path := samplePath(sample.event.Kind(), sample.version)
			kept := keptSample(t, path, d)
			r, err := events.Decode(events.Message{Position: 42, Subject: d.Subject.String(), Data: kept})
			if err != nil {
				t.Fatal(err)
			}
			want := events.Record{Position: 42, Subject: d.Subject, Meta: d.Meta, Events: d.Events}
			if !reflect.DeepEqual(r, want) {
				t.Errorf("%s means\n%s\nwant\n%s", path, show(r), show(want))
			}
			if data := messageOf(t, d).Data; sample.version == newest(sample.event) && !bytes.Equal(data, kept) {
				t.Errorf("it is written as\n%s\nwant\n%s", data, kept)
			}
		})
	}
}

func keptSample(t *testing.T, path string, d events.Decision) []byte {
	t.Helper()
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update {
		kept = append(messageOf(t, d).Data, '\n')
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		err = os.WriteFile(path, kept, 0o644)
	}
	if err != nil {
		t.Fatalf("%v; a sample of each fact and version is kept for ever: bring it back, or write that of a new fact with go test ./events -update", err)
	}
	return bytes.TrimSuffix(kept, []byte("\n"))
}

// show prints what reflect.DeepEqual sees, sealed parts aside.
func show(r events.Record) string { return fmt.Sprintf("%+v", r) }

func newest(e events.Event) int {
	i := slices.IndexFunc(events.Catalog(), func(entry events.Entry) bool { return entry.Name == e.Kind() })
	return events.Catalog()[i].Version
}

// Every line of the catalog, in every version, has its sample; and there is no
// sample of a fact that the catalog has forgotten.
func TestFactsAreComplete(t *testing.T) {
	listed := map[string]bool{}
	for _, sample := range samples {
		listed[samplePath(sample.event.Kind(), sample.version)] = true
	}
	want := map[string]bool{}
	for _, entry := range events.Catalog() {
		for version := 1; version <= entry.Version; version++ {
			path := samplePath(entry.Name, version)
			want[path] = true
			if !listed[path] {
				t.Errorf("%s version %d has no line in samples", entry.Name, version)
			}
		}
	}
	kept, err := filepath.Glob(filepath.Join("testdata", "facts", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range kept {
		if !want[path] {
			t.Errorf("%s is of a fact or version that the catalog does not have; names and versions are on disk for ever", path)
		}
	}
}

// The catalog says of each fact what generated pages need.
func TestCatalog(t *testing.T) {
	for _, entry := range events.Catalog() {
		if want := fmt.Sprintf("dev.keyledger.%s.v%d", entry.Name, entry.Version); entry.Type != want {
			t.Errorf("%s: type %q, want %q", entry.Name, entry.Type, want)
		}
		if entry.Summary == "" || entry.Shape.Kind() != reflect.Struct {
			t.Errorf("%s: summary %q, shape %v; want a sentence and a struct", entry.Name, entry.Summary, entry.Shape)
		}
	}
}
