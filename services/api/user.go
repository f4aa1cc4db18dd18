package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/ledger"
	"github.com/keyledger/keyledger/services/permission"
)

// minPositionPatience is how long a question waits for its min_position.
const minPositionPatience = 2 * time.Second

func (s *server) userRoutes(api huma.API) {
	add(api, route{http.MethodPost, "/v1/users", "add-user", "Add a user to an account", 201, "users"}, s.addUser)
	add(api, route{http.MethodGet, "/v1/users", "list-users", "List the users of an account, newest first", 200, "users"}, s.listUsers)
	add(api, route{http.MethodGet, "/v1/users/{user_id}", "show-user", "Show a user", 200, "users"}, s.showUser)
	add(api, route{http.MethodPatch, "/v1/users/{user_id}", "change-user", "Change a user's name, role or grants", 200, "users"}, s.changeUser)
	add(api, route{http.MethodDelete, "/v1/users/{user_id}", "remove-user", "Remove a user who has no keys", 204, "users"}, s.removeUser)
}

type addUserInput struct {
	AccountInput
	Body struct {
		Name string `json:"name" doc:"1 to 64 of A-Z a-z 0-9 + = , . @ _ -"`
		Kind string `json:"kind,omitempty" doc:"user (if left out) or collaborator"`
		Role string `json:"role,omitempty" doc:"admin, user (if left out) or auditor"`
	}
}

func (s *server) addUser(ctx context.Context, in *addUserInput) (*written[userShape], error) {
	a, err := s.account(ctx, permission.UserWrite, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	added, err := s.Ledger.AddUser(ctx, inboundOf(ctx).request, a.ID, in.Body.Name, in.Body.Kind, in.Body.Role)
	if err != nil {
		return nil, err
	}
	u, found, err := s.Queries.User(a.ID, added.User.ID)
	if err != nil {
		return nil, err
	}
	if !found { // the request had been answered before, and the user is gone
		u = User{Account: a.ID, ID: added.User.ID, Name: added.User.Name, Kind: added.User.Kind, Role: added.User.Role, AddedAt: added.Time}
	}
	return &written[userShape]{Position: uint64(added.Position), Body: shapeUser(u)}, nil
}

// accountID is the account that a request is about: the caller's if it names none.
func (s *server) accountID(ctx context.Context, named string) string {
	if named != "" {
		return named
	}
	return string(inboundOf(ctx).caller.Account)
}

type listUsersInput struct {
	AccountInput
	PageInput
	Name string `query:"name" maxLength:"64" doc:"only the user of this name"`
}

func (s *server) listUsers(ctx context.Context, in *listUsersInput) (*read[list[userShape]], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	a, err := s.account(ctx, permission.UserList, s.accountID(ctx, in.AccountID))
	if err != nil {
		return nil, err
	}
	if in.Name != "" {
		return s.namedUser(a.ID, in.Name)
	}
	users, next, err := s.Queries.Users(a.ID, in.page())
	if err != nil {
		return nil, err
	}
	return &read[list[userShape]]{list[userShape]{shapeAll(users, shapeUser), next}}, nil
}

func (s *server) namedUser(a events.AccountID, name string) (*read[list[userShape]], error) {
	out := &read[list[userShape]]{list[userShape]{Items: []userShape{}}}
	u, found, err := s.Queries.UserByName(a, name)
	if err != nil || !found {
		return out, err
	}
	out.Body.Items = append(out.Body.Items, shapeUser(u))
	return out, nil
}

type userPath struct {
	AccountInput
	UserID      string `path:"user_id" pattern:"^[1-9][0-9]{17}$"`
	MinPosition uint64 `query:"min_position" doc:"answer only when this position of the log is known"`
}

func (s *server) showUser(ctx context.Context, in *userPath) (*read[userShape], error) {
	if err := s.reached(ctx, in.MinPosition); err != nil {
		return nil, err
	}
	u, err := s.user(ctx, permission.UserRead, in.AccountInput, in.UserID)
	if err != nil {
		return nil, err
	}
	return &read[userShape]{shapeUser(u)}, nil
}

// userOrRepeat is a user that exists and to whom the caller may do op, or one who is gone
// while the request about him has been recorded: sent again it gets its answer.
func (s *server) userOrRepeat(ctx context.Context, op permission.Operation, in AccountInput, id string, subject func(User) events.Subject) (User, error) {
	u, err := s.user(ctx, op, in, id)
	if refusal, ok := errors.AsType[*aggregate.Refusal](err); !ok || refusal.Kind != aggregate.NotFound {
		return u, err
	}
	u = User{Account: events.AccountID(s.accountID(ctx, in.AccountID)), ID: events.UserID(id)}
	if hidden := allow(ctx, op, permission.Target{Account: u.Account, User: u.ID}, err); hidden != nil {
		return u, hidden
	}
	again, fault := s.Ledger.Recorded(inboundOf(ctx).request, subject(u))
	if fault != nil || !again {
		return u, cmp.Or(fault, err)
	}
	return u, nil
}

// user is a user that exists and to whom the caller may do op.
func (s *server) user(ctx context.Context, op permission.Operation, in AccountInput, id string) (User, error) {
	a, u := events.AccountID(s.accountID(ctx, in.AccountID)), events.UserID(id)
	unknown := errNoUser(u)
	if err := allow(ctx, op, permission.Target{Account: a, User: u}, unknown); err != nil {
		return User{}, err
	}
	user, found, err := s.Queries.User(a, u)
	if err == nil && !found {
		err = unknown
	}
	return user, err
}

func errNoUser(u events.UserID) error {
	return aggregate.Refuse(aggregate.NotFound, "user.not_found", "there is no user %q in the account", u)
}

type changeUserInput struct {
	AccountInput
	UserID string `path:"user_id" pattern:"^[1-9][0-9]{17}$"`
	Body   struct {
		Name   *string   `json:"name,omitempty"`
		Role   *string   `json:"role,omitempty"`
		Grants *[]string `json:"grants,omitempty" doc:"all that the user is to have"`
	}
}

// changeUser makes every change that is asked for in one decision.
func (s *server) changeUser(ctx context.Context, in *changeUserInput) (*written[userShape], error) {
	u, err := s.userOrRepeat(ctx, permission.UserWrite, in.AccountInput, in.UserID, func(u User) events.Subject { return events.AccountSubject(u.Account) })
	if err != nil {
		return nil, err
	}
	if in.Body.Name == nil && in.Body.Role == nil && in.Body.Grants == nil {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "the body must hold at least one of name, role and grants")
	}
	out, err := s.Ledger.ChangeUser(ctx, inboundOf(ctx).request, u.Account, u.ID,
		ledger.UserChange{Name: in.Body.Name, Role: in.Body.Role, Grants: in.Body.Grants})
	if err != nil {
		return nil, err
	}
	now, found, err := s.Queries.User(u.Account, u.ID)
	if err == nil && !found {
		err = errNoUser(u.ID) // the change was made, and he was removed after
	}
	if err != nil {
		return nil, err
	}
	return &written[userShape]{Position: uint64(out.Position), Body: shapeUser(now)}, nil
}

type removeUserInput struct {
	AccountInput
	UserID string `path:"user_id" pattern:"^[1-9][0-9]{17}$"`
}

func (s *server) removeUser(ctx context.Context, in *removeUserInput) (*struct {
	Position uint64 `header:"X-Keyledger-Position"`
}, error) {
	a, u := events.AccountID(s.accountID(ctx, in.AccountID)), events.UserID(in.UserID)
	if err := allow(ctx, permission.UserWrite, permission.Target{Account: a, User: u}, errNoUser(u)); err != nil {
		return nil, err
	}
	out, err := s.Ledger.RemoveUser(ctx, inboundOf(ctx).request, a, u)
	if err != nil {
		return nil, err
	}
	return &struct {
		Position uint64 `header:"X-Keyledger-Position"`
	}{uint64(out.Position)}, nil
}
