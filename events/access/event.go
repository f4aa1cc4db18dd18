package access

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/keyledger/keyledger/events"
)

// The CloudEvents types under which records are told to those outside. They never
// change their meaning.
const (
	TypeUsed      = events.TypePrefix + "key.used.v1"      // a use: genuine, allowed or denied
	TypeAttempted = events.TypePrefix + "key.attempted.v1" // not genuine: anybody can send one
)

// TypeOf is the CloudEvents type of a record.
func TypeOf(r *Record) string {
	if r.Outcome.Use() {
		return TypeUsed
	}
	return TypeAttempted
}

// told is a record as those outside see it. Replay is not told: only whoever looks
// for repeats has a use for it.
type told struct {
	Key       events.AccessKeyID `json:"access_key_id"`
	Account   events.AccountID   `json:"account_id"`
	User      events.UserID      `json:"user_id"`
	Outcome   string             `json:"outcome"`
	Reason    string             `json:"reason,omitempty"`
	Scheme    string             `json:"scheme"`
	Service   string             `json:"service"`
	Action    string             `json:"action"`
	Region    string             `json:"region"`
	SourceIP  string             `json:"source_ip,omitempty"`
	UserAgent string             `json:"user_agent"`
	RequestID string             `json:"request_id"`
	Position  events.Position    `json:"position"`
	Count     uint32             `json:"count,omitempty"`
}

// EncodeEvent is a record as a CloudEvents 1.0 event in JSON. Its id is the record's
// own, so that it is the same however often it is told.
func EncodeEvent(r *Record) ([]byte, error) {
	return json.Marshal(struct {
		SpecVersion     string `json:"specversion"`
		ID              string `json:"id"`
		Source          string `json:"source"`
		Type            string `json:"type"`
		Subject         string `json:"subject"`
		Time            string `json:"time"`
		DataContentType string `json:"datacontenttype"`
		Data            told   `json:"data"`
	}{
		SpecVersion: "1.0", ID: uuid.UUID(r.ID).String(), Source: events.KeyringSubject(r.Account, r.User).Source(), Type: TypeOf(r),
		Subject: string(r.Key), Time: r.Time.UTC().Format(time.RFC3339Nano), DataContentType: "application/json",
		Data: told{
			Key: r.Key, Account: r.Account, User: r.User, Outcome: r.Outcome.String(), Reason: r.Reason, Scheme: r.Scheme,
			Service: r.Service, Action: r.Action, Region: r.Region, SourceIP: address(r.SourceIP), UserAgent: r.UserAgent,
			RequestID: r.RequestID, Position: r.Position, Count: r.Count,
		},
	})
}

func address(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}
