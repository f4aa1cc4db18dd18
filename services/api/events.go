package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/events/access"
	"github.com/keyledger/keyledger/services/feed"
	"github.com/keyledger/keyledger/services/permission"
)

// The forms in which events are sent.
const (
	mediaSSE   = "text/event-stream"
	mediaLines = "application/x-ndjson"
)

// allAccounts is what the operator asks for instead of one account.
const allAccounts = "all"

// maxTypes bounds how many types a reader can name.
const maxTypes = 64

func (s *server) eventRoutes(api huma.API) {
	r := route{http.MethodGet, "/v1/events", "follow-events", "Follow the lifecycle events and the uses of an account, from a place in the past on", 200, "events"}
	o := describeRoute(r)
	o.Description = "Answers with server-sent events, or with JSON Lines if the request accepts " + mediaLines + " and not " + mediaSSE +
		". Each event is a CloudEvents 1.0 event in JSON without what is sealed, and comes with a cursor: the id of a server-sent event, " +
		"or beside the event in a line. Nothing is left out between a cursor and what follows on it; what came before a reader's own cursor is not sent again, " +
		"and whatever is sent again has the same id. The last event, of the type \"end\", says why there are no more."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "events until there is an end",
		Content: map[string]*huma.MediaType{
			mediaSSE:   {Schema: &huma.Schema{Type: huma.TypeString, Description: "server-sent events (WHATWG HTML): id is a cursor, event the CloudEvents type, data the event"}},
			mediaLines: {Schema: api.OpenAPI().Components.Schemas.Schema(lineType, true, "EventLine")},
		},
	}}
	register(api, o, s.followEvents)
}

type followEventsInput struct {
	AccountID   string    `query:"account_id" pattern:"^([1-9][0-9]{11}|all)$" doc:"the account; the caller's own if left out; \"all\" for an operator"`
	UserID      string    `query:"user_id" pattern:"^[1-9][0-9]{17}$" doc:"only events about this user and its keys"`
	Key         string    `query:"access_key_id" maxLength:"128" doc:"only events about this key"`
	Type        string    `query:"type" maxLength:"4096" doc:"only events of these types, joined by commas: dev.keyledger.key.used.v1, or in short key.used"`
	From        string    `query:"from" maxLength:"128" doc:"where to begin: now (if left out), earliest, a time of the last 92 days (RFC 3339), a position of the log, or a cursor"`
	Until       time.Time `query:"until" doc:"only events before this time (RFC 3339); the answer ends when all of them are told"`
	Follow      bool      `query:"follow" default:"true" doc:"whether to go on with what is still to come; if not, the answer ends where the log ended when it was asked for"`
	LastEventID string    `header:"Last-Event-ID" maxLength:"128" doc:"a cursor to go on from, whatever from says"`
	Accept      string    `header:"Accept" doc:"text/event-stream (if left out) or application/x-ndjson"`
}

// Resolve refuses the zero time, which would pass for none, and what is empty: whoever means one key and names none
// would be told of all. It is huma's hook.
func (in *followEventsInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	query := u.Query()
	for _, name := range []string{"account_id", "user_id", "access_key_id", "type", "until", "follow"} {
		if query.Has(name) && query.Get(name) == "" {
			return []error{&huma.ErrorDetail{Location: "query." + name, Message: "is empty: give it a value, or leave it out to be told without regard to it"}}
		}
	}
	if in.Until.IsZero() && isTime(ctx.Query("until")) {
		return []error{&huma.ErrorDetail{Location: "query.until", Message: "want a time of the last 92 days, or later"}}
	}
	if from, err := time.Parse(time.RFC3339, in.From); err == nil && !in.Until.IsZero() && !from.Before(in.Until) {
		return []error{&huma.ErrorDetail{Location: "query.until", Message: "must be later than from"}}
	}
	return nil
}

// followEvents finds out everything that can be refused before the answer begins.
func (s *server) followEvents(ctx context.Context, in *followEventsInput) (*huma.StreamResponse, error) {
	filter, still, err := s.readable(ctx, in)
	if err != nil {
		return nil, err
	}
	from, err := feed.ParseFrom(in.From)
	if err == nil && in.LastEventID != "" {
		from, err = lastEvent(in.LastEventID)
	}
	if err != nil {
		return nil, err
	}
	reader, err := s.Feed.Open(ctx, feed.Query{
		Caller: readerOf(inboundOf(ctx).caller), Filter: filter, From: from, Until: in.Until, Follow: in.Follow, Still: still,
	})
	if err != nil {
		return nil, err
	}
	lines := acceptsLines(in.Accept)
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer reader.Close()
		inboundOf(ctx).call.settle() // the answer may go on for days
		_, w := humago.Unwrap(c)
		newStream(w, lines, s.Patience).send(c.Context(), reader)
	}}, nil
}

// readerOf is a caller as the feed counts its readers.
func readerOf(c permission.Caller) feed.Caller {
	oversees := c.May(permission.AuditRead, permission.Target{Account: c.Account}) == permission.Allowed
	return feed.Caller{Account: c.Account, User: c.User, Oversees: oversees, Operator: c.Operator}
}

// lastEvent is where a reader goes on that was cut off.
func lastEvent(text string) (feed.From, error) {
	if _, err := feed.ParseCursor(text); err != nil {
		return feed.From{}, &feed.RefusedError{Reason: feed.Malformed, Detail: "Last-Event-ID is not a cursor as it came with an event"}
	}
	return feed.ParseFrom(text)
}

func acceptsLines(accept string) bool {
	return !strings.Contains(accept, mediaSSE) && (strings.Contains(accept, mediaLines) || strings.Contains(accept, "application/jsonl"))
}

// readable is what the caller asks to read, if it may, and whether it still may later.
func (s *server) readable(ctx context.Context, in *followEventsInput) (feed.Filter, func() error, error) {
	types, err := eventTypes(in.Type)
	if err != nil {
		return feed.Filter{}, nil, err
	}
	op, target, err := s.readsEvents(ctx, in)
	if err != nil {
		return feed.Filter{}, nil, err
	}
	filter := feed.Filter{Account: target.Account, User: target.User, Key: events.AccessKeyID(in.Key), Types: types}
	call := inboundOf(ctx).call
	return filter, func() error { return s.stillReads(call, op, target) }, nil
}

// readsEvents is what has to be allowed for a reader: a user's own events are the user's
// to read, all others the account's auditors', and those of all accounts the operator's.
func (s *server) readsEvents(ctx context.Context, in *followEventsInput) (permission.Operation, permission.Target, error) {
	if in.AccountID == allAccounts {
		if in.UserID != "" {
			return "", permission.Target{}, invalidBody("user_id: a user is one of an account; name it, or leave user_id out")
		}
		err := allow(ctx, permission.Operate, permission.Target{}, errNoAccount(allAccounts))
		if err == nil && in.Key != "" {
			_, err = s.key(ctx, permission.KeyRead, in.Key)
		}
		return permission.Operate, permission.Target{}, err
	}
	account := AccountInput{AccountID: in.AccountID}
	if in.UserID != "" {
		u, err := s.user(ctx, permission.KeyRead, account, in.UserID)
		if err == nil && in.Key != "" {
			err = s.keyIs(ctx, in.Key, func(k Key) bool { return k.Owner == events.KeyringSubject(u.Account, u.ID) })
		}
		return permission.KeyRead, permission.Target{Account: u.Account, User: u.ID}, err
	}
	a := events.AccountID(s.accountID(ctx, in.AccountID))
	if in.Key == "" || allow(ctx, permission.AuditRead, permission.Target{Account: a}, errNoAccount(string(a))) == nil {
		found, err := s.account(ctx, permission.AuditRead, string(a))
		if err == nil && in.Key != "" {
			err = s.keyIs(ctx, in.Key, func(k Key) bool { return k.Owner.Account == found.ID })
		}
		return permission.AuditRead, permission.Target{Account: found.ID}, err
	}
	k, err := s.key(ctx, permission.KeyRead, in.Key)
	return permission.KeyRead, permission.Target{Account: k.Owner.Account, User: k.Owner.User}, err
}

// keyIs refuses a key that is not one of those that a reader asks about: nothing would
// ever be told of it.
func (s *server) keyIs(ctx context.Context, id string, one func(Key) bool) error {
	k, err := s.key(ctx, permission.KeyRead, id)
	if err == nil && !one(k) {
		err = errNoKey(id)
	}
	return err
}

// stillReads asks again what was asked when a reader began: an answer goes on for as
// long as the reader likes, its key may not.
func (s *server) stillReads(m *managementCall, op permission.Operation, t permission.Target) error {
	stands, err := s.Verifier.Stands(m.decision, m.from)
	if err != nil {
		return err
	}
	if !stands {
		return feed.ErrNoLonger
	}
	now, err := s.Queries.Caller(m.decision.Owner)
	if err == nil && now.May(op, t) != permission.Allowed {
		err = feed.ErrNoLonger
	}
	return err
}

// eventTypes are the types that a reader names.
func eventTypes(text string) (map[string]bool, error) {
	if text == "" {
		return nil, nil
	}
	names := strings.Split(text, ",")
	if len(names) > maxTypes {
		return nil, invalidBody("type: there are not as many types; see docs/events-out.md")
	}
	types := map[string]bool{}
	for _, name := range names {
		t, known := feed.TypeOf(strings.TrimSpace(name))
		if !known {
			return nil, invalidBody(fmt.Sprintf("type: %.64q is no type of event; want such as key.used or %s, joined by commas. docs/events-out.md has them", name, access.TypeUsed))
		}
		types[t] = true
	}
	return types, nil
}

// refusedReader is the problem of a reader that cannot begin.
func refusedReader(r *feed.RefusedError) *Problem {
	switch r.Reason {
	case feed.Ahead:
		return problem(http.StatusUnprocessableEntity, "events.ahead", r.Detail)
	case feed.Expired:
		return problem(http.StatusGone, "events.expired", r.Detail)
	case feed.Replaced:
		return problem(http.StatusGone, "events.replaced", r.Detail)
	case feed.Unreadable:
		return problem(http.StatusServiceUnavailable, "events.unreadable", r.Detail)
	case feed.Crowded:
		return problem(http.StatusServiceUnavailable, "events.crowded", r.Detail)
	}
	return problem(http.StatusUnprocessableEntity, codeCursor, r.Detail)
}
