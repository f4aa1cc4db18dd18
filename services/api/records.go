package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/keyledger/keyledger/events"
	uses "github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/projections"
	"github.com/keyledger/keyledger/projections/access"
	"github.com/keyledger/keyledger/services/permission"
)

// A RecordsDamagedError says that access records stopped where USED is damaged.
type RecordsDamagedError struct{ *events.UnavailableError }

// Unwrap makes it an error of something that is not available.
func (e *RecordsDamagedError) Unwrap() error { return e.UnavailableError }

// Records answers what access records say. An error may be a *RecordsDamagedError.
type Records interface {
	List(q access.Query, cursor string, limit int) (projections.Page[access.Entry], error)
	LastOf(keys []events.AccessKeyID) ([]access.Last, error)
	Counts(key events.AccessKeyID, p access.Period) ([]access.DayCounts, error)
	// Incomplete reports whether the log has lost records, or what was kept of those that were trimmed.
	Incomplete() bool
}

func (s *server) recordRoutes(api huma.API) {
	add(api, route{http.MethodGet, "/v1/keys/{access_key_id}/records", "list-key-records", "List the requests that named a key in the last three months, newest first", 200, "records"}, s.keyRecords)
	add(api, route{http.MethodGet, "/v1/records", "list-records", "List the requests that named a key of an account in the last three months, newest first", 200, "records"}, s.listRecords)
	add(api, route{http.MethodGet, "/v1/keys/{access_key_id}/last-used", "show-last-used", "Show when a key was last used, and last refused", 200, "records"}, s.lastUsed)
	add(api, route{http.MethodGet, "/v1/last-used", "list-last-used", "List when each of up to 100 keys was last used, and last refused, in the order in which they are named", 200, "records"}, s.listLastUsed)
	add(api, route{http.MethodGet, "/v1/keys/{access_key_id}/counts", "list-key-counts", "List how often a key was used on each day, the earliest first", 200, "records"}, s.keyCounts)
	add(api, route{http.MethodGet, "/v1/reports/unused", "report-unused", "List the keys of an account that were not used for some days, newest key first", 200, "records"}, s.unused)
}

// RecordFilter says which records are wanted.
type RecordFilter struct {
	PeriodInput
	SourceIP string `query:"source_ip" maxLength:"64" doc:"only records of this address"`
	Outcome  string `query:"outcome" enum:"allowed,denied,uses,attempt,failed" doc:"allowed, denied (genuine, and refused), uses (allowed and denied), attempt (not genuine) or failed (denied and attempt)"`
}

var outcomes = map[string]access.Which{"": access.All, "allowed": access.Allowed, "denied": access.Denied, "uses": access.Uses, "attempt": access.Attempts, "failed": access.Failed}

// query is the filter as the store takes it.
func (f RecordFilter) query(now time.Time) (q access.Query, err error) {
	q.Which = outcomes[f.Outcome]
	q.Period = access.Period{Since: f.Since, Until: f.Until, NotBefore: now.Add(-uses.Kept)}
	if f.SourceIP != "" {
		ip, err := netip.ParseAddr(f.SourceIP)
		if err != nil || ip.Zone() != "" {
			return q, invalidBody("source_ip is not an IPv4 or IPv6 address")
		}
		q.SourceIP = ip.Unmap()
	}
	return q, nil
}

type recordShape struct {
	ID          string     `json:"id"`
	Time        *time.Time `json:"time"`
	AccessKeyID string     `json:"access_key_id"`
	AccountID   string     `json:"account_id"`
	UserID      string     `json:"user_id"`
	Outcome     string     `json:"outcome" enum:"allowed,denied,attempt"`
	Reason      string     `json:"reason,omitempty" doc:"absent if allowed"`
	Scheme      string     `json:"scheme"`
	Service     string     `json:"service"`
	Action      string     `json:"action"`
	Region      string     `json:"region"`
	SourceIP    string     `json:"source_ip,omitempty"`
	UserAgent   string     `json:"user_agent"`
	RequestID   string     `json:"request_id"`
	Position    uint64     `json:"position" doc:"of the log, at which it was decided"`
	Replay      string     `json:"replay,omitempty" doc:"hash of what must not come twice"`
	Count       uint32     `json:"count,omitempty" doc:"how many attempts a summary stands for"`
}

func shapeRecord(e access.Entry) recordShape {
	r := e.Record
	s := recordShape{
		ID: uuid.UUID(r.ID).String(), Time: instant(r.Time), AccessKeyID: string(r.Key), AccountID: string(r.Account), UserID: string(r.User),
		Outcome: r.Outcome.String(), Reason: r.Reason, Scheme: r.Scheme, Service: r.Service, Action: r.Action, Region: r.Region,
		SourceIP: address(r.SourceIP), UserAgent: r.UserAgent, RequestID: r.RequestID, Position: uint64(r.Position), Count: r.Count,
	}
	if r.Replay != [16]byte{} {
		s.Replay = hex.EncodeToString(r.Replay[:])
	}
	return s
}

func address(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

type keyRecordsInput struct {
	KeyPath
	PageInput
	RecordFilter
}

func (s *server) keyRecords(ctx context.Context, in *keyRecordsInput) (*read[list[recordShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	k, err := s.key(ctx, permission.KeyRead, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	return s.records(in.RecordFilter, access.Query{Account: k.Owner.Account, Key: k.ID}, in.PageInput)
}

type listRecordsInput struct {
	AccountInput
	PageInput
	RecordFilter
}

func (s *server) listRecords(ctx context.Context, in *listRecordsInput) (*read[list[recordShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.AuditRead, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	return s.records(in.RecordFilter, access.Query{Account: a.ID}, in.PageInput)
}

func (s *server) records(f RecordFilter, of access.Query, p PageInput) (*read[list[recordShape]], error) {
	q, err := f.query(s.Now())
	if err != nil {
		return nil, err
	}
	q.Account, q.Key = of.Account, of.Key
	page, err := s.Records.List(q, p.Cursor, p.Limit)
	if err != nil {
		return nil, err
	}
	return &read[list[recordShape]]{list[recordShape]{shapeAll(page.Items, shapeRecord), page.Next}}, nil
}

type useShape struct {
	Time     *time.Time `json:"time"`
	SourceIP string     `json:"source_ip,omitempty"`
	Service  string     `json:"service"`
	Action   string     `json:"action"`
	Region   string     `json:"region"`
	Reason   string     `json:"reason,omitempty" doc:"why it was refused"`
}

func shapeUse(u *access.Use) *useShape {
	if u == nil {
		return nil
	}
	return &useShape{Time: instant(u.Time), SourceIP: address(u.SourceIP), Service: u.Service, Action: u.Action, Region: u.Region, Reason: u.Reason}
}

type lastUsedShape struct {
	AccessKeyID string     `json:"access_key_id"`
	LastUsedAt  *time.Time `json:"last_used_at" doc:"null if it was never used; only a request that was allowed is a use of this kind"`
	LastUsed    *useShape  `json:"last_used,omitempty"`
	LastRefused *useShape  `json:"last_refused,omitempty" doc:"the last genuine request that was refused"`
	Incomplete  bool       `json:"incomplete,omitempty" doc:"the log has lost uses of some keys (the operator's status says where): this one may have been used, or used later"`
}

func (s *server) shapeLast(l access.Last) lastUsedShape {
	out := lastUsedShape{AccessKeyID: string(l.Key), LastUsed: shapeUse(l.Used), LastRefused: shapeUse(l.Refused), Incomplete: s.Records.Incomplete()}
	if l.Used != nil {
		out.LastUsedAt = instant(l.Used.Time)
	}
	return out
}

func (s *server) lastUsed(ctx context.Context, in *KeyPath) (*read[lastUsedShape], error) {
	k, err := s.key(ctx, permission.KeyRead, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	last, err := s.Records.LastOf([]events.AccessKeyID{k.ID})
	if err != nil {
		return nil, err
	}
	return &read[lastUsedShape]{s.shapeLast(last[0])}, nil
}

type listLastUsedInput struct {
	Keys string `query:"access_key_id" required:"true" minLength:"1" maxLength:"12899" doc:"1 to 100 access key IDs, each once, joined by commas"`
}

// keys are those that are named.
func (in *listLastUsedInput) keys() ([]string, error) {
	ids := strings.Split(in.Keys, ",")
	if len(ids) > access.MaxKeys {
		return nil, invalidBody(fmt.Sprintf("access_key_id names %d keys; want 1 to %d", len(ids), access.MaxKeys))
	}
	for i, id := range ids {
		if id == "" || slices.Contains(ids[:i], id) {
			return nil, invalidBody("access_key_id names a key twice, or has nothing between two commas; want 1 to 100 access key IDs, each once")
		}
	}
	return ids, nil
}

// listLastUsed answers for all keys or, if the caller may not know of one, for none.
func (s *server) listLastUsed(ctx context.Context, in *listLastUsedInput) (*read[list[lastUsedShape]], error) {
	named, err := in.keys()
	if err != nil {
		return nil, err
	}
	ids := make([]events.AccessKeyID, len(named))
	for i, id := range named {
		k, err := s.key(ctx, permission.KeyRead, id)
		if err != nil {
			return nil, err
		}
		ids[i] = k.ID
	}
	last, err := s.Records.LastOf(ids)
	if err != nil {
		return nil, err
	}
	return &read[list[lastUsedShape]]{list[lastUsedShape]{Items: shapeAll(last, s.shapeLast)}}, nil
}

type countsInput struct {
	KeyPath
	PeriodInput
}

type dayShape struct {
	Day      *time.Time `json:"day" doc:"its beginning, UTC"`
	Allowed  uint64     `json:"allowed"`
	Denied   uint64     `json:"denied"`
	Attempts uint64     `json:"attempts"`
}

func shapeDay(d access.DayCounts) dayShape {
	return dayShape{Day: instant(d.Day), Allowed: d.Allowed, Denied: d.Denied, Attempts: d.Attempts}
}

func (s *server) keyCounts(ctx context.Context, in *countsInput) (*read[list[dayShape]], error) {
	k, err := s.key(ctx, permission.KeyRead, in.AccessKeyID)
	if err != nil {
		return nil, err
	}
	days, err := s.Records.Counts(k.ID, access.Period{Since: in.Since, Until: in.Until, NotBefore: s.Now().Add(-uses.Kept)})
	if err != nil {
		return nil, err
	}
	return &read[list[dayShape]]{list[dayShape]{Items: shapeAll(days, shapeDay)}}, nil
}

type unusedInput struct {
	AccountInput
	PageInput
	Days int `query:"days" minimum:"1" maximum:"3650" default:"90" doc:"for how many days"`
}

type unusedShape struct {
	AccessKeyID string     `json:"access_key_id"`
	UserID      string     `json:"user_id"`
	Status      string     `json:"status"`
	CreatedAt   *time.Time `json:"created_at"`
	LastUsedAt  *time.Time `json:"last_used_at" doc:"null if it was never used"`
	Incomplete  bool       `json:"incomplete,omitempty" doc:"the log has lost uses of some keys (the operator's status says where): this one may have been used, or used later"`
}

// unused looks through a page of the account's keys: one that holds none that were
// unused is empty and has a cursor.
func (s *server) unused(ctx context.Context, in *unusedInput) (*read[list[unusedShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.KeyList, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	page := in.page()
	page.Limit = min(page.Limit, access.MaxKeys)
	keys, next, err := s.Queries.Keys(KeyFilter{Account: a.ID}, page)
	if err != nil {
		return nil, err
	}
	ids := make([]events.AccessKeyID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	last, err := s.Records.LastOf(ids)
	if err != nil {
		return nil, err
	}
	out := []unusedShape{}
	before := s.Now().AddDate(0, 0, -in.Days)
	for i, k := range keys {
		used := last[i].Used
		if !k.CreatedAt.Before(before) || used != nil && !used.Time.Before(before) {
			continue
		}
		u := unusedShape{AccessKeyID: string(k.ID), UserID: string(k.Owner.User), Status: k.Status, CreatedAt: instant(k.CreatedAt), Incomplete: s.Records.Incomplete()}
		if used != nil {
			u.LastUsedAt = instant(used.Time)
		}
		out = append(out, u)
	}
	return &read[list[unusedShape]]{list[unusedShape]{out, next}}, nil
}
