package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keyledger/keyledger/aggregate"
	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/dialect"
	"github.com/keyledger/keyledger/services/permission"
	"github.com/keyledger/keyledger/services/verify"
)

func (s *server) explainRoutes(api huma.API) {
	add(api, route{http.MethodPost, "/v1/explain", "explain-request", "Explain what a signed request says and why it is refused, to an admin of its key's account", 200, tagVerification}, s.explainRequest)
}

// SignedRequest is signedRequest by a name that huma sees.
type SignedRequest = signedRequest

type explainInput struct {
	Body struct {
		SignedRequest
		ClientCanonicalRequest string `json:"client_canonical_request,omitempty" doc:"what the client says that it hashed"`
		ClientStringToSign     string `json:"client_string_to_sign,omitempty" doc:"what the client says that it signed"`
	}
}

type explanation struct {
	Genuine          bool                `json:"genuine" doc:"the signature verifies in its time window now"`
	Reason           string              `json:"reason,omitempty" doc:"stable; absent if the request would be allowed now"`
	Detail           string              `json:"detail,omitempty" doc:"for people"`
	AccessKeyID      string              `json:"access_key_id,omitempty" doc:"that the request names"`
	UserID           string              `json:"user_id,omitempty" doc:"whose key it is"`
	Scheme           string              `json:"scheme,omitempty"`
	SignatureMatches bool                `json:"signature_matches" doc:"the key's secret signed the request, be it in its time window or not"`
	Restricted       bool                `json:"restricted,omitempty" doc:"the key is under leak protection; a request to the ledger itself is refused for it in any case"`
	CanonicalRequest string              `json:"canonical_request,omitempty" doc:"as the server hashes it; bytes that are not UTF-8 are replaced"`
	StringToSign     string              `json:"string_to_sign,omitempty" doc:"as the server signs it; bytes that are not UTF-8 are replaced"`
	Differences      []dialect.Departure `json:"differences" nullable:"false" doc:"where what the client says first differs; empty if it does not, or says nothing, or the request was refused before there was anything to compare: without string_to_sign, detail says what was wrong"`
}

// explainRequest tells an admin of a key's account what was made of a request that names the
// key. It is no verification: nothing is on record, and no nonce is used up. What
// it tells holds no secret. A key of another account gets the answer of one that is not.
func (s *server) explainRequest(ctx context.Context, in *explainInput) (*read[explanation], error) {
	c := inboundOf(ctx).caller
	if err := allow(ctx, permission.KeyExplain, permission.Target{Account: c.Account}, nil); err != nil {
		return nil, err
	}
	r, err := in.Body.wire()
	if err != nil {
		return nil, err
	}
	d, err := s.Verifier.Explain(ctx, r)
	if err != nil {
		return nil, err
	}
	of := permission.Target{Account: d.Owner.Account}
	switch {
	case d.Malformed != nil && c.May(permission.KeyExplain, of) != permission.Allowed:
		d.Owner = events.Subject{} // what is wrong with it is in the request, whosever key it names
	case d.Key != "":
		unknown := aggregate.Refuse(aggregate.NotFound, "key.not_found", "there is no access key %q", d.Key)
		if err := allow(ctx, permission.KeyExplain, of, unknown); err != nil {
			return nil, err
		}
	}
	return &read[explanation]{in.explain(d)}, nil
}

func (in *explainInput) explain(d verify.Explanation) explanation {
	e := explanation{
		Genuine: d.Genuine, Reason: d.Reason, Detail: d.Detail, AccessKeyID: string(d.Key), UserID: string(d.Owner.User),
		Scheme: d.Claim.Scheme, SignatureMatches: d.Signed, Restricted: d.Restricted, Differences: []dialect.Departure{},
	}
	if len(d.Claims) == 0 {
		return e
	}
	hashed, signed := []byte(in.Body.ClientCanonicalRequest), []byte(in.Body.ClientStringToSign)
	shown := d.Claim
	if !d.Genuine {
		shown = dialect.Closest(d.Claims, signed, hashed)
	}
	e.CanonicalRequest, e.StringToSign = string(shown.CanonicalRequest), string(shown.StringToSign)
	e.Differences = dialect.Departures(hashed, signed, shown.CanonicalRequest, shown.StringToSign)
	return e
}
