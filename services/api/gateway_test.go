package api_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keyledger/keyledger/events"
	"github.com/keyledger/keyledger/services/api"
)

// TestGatewayTokens: a token is shown once, listed without, and revoked for good.
func TestGatewayTokens(t *testing.T) {
	a := open(t, "strict", "")
	const tokens = "/v1/gateway-tokens"
	first := a.named(t, "gw-1", "POST", tokens, `{"name":" edge eu "}`).ok(t, 201)
	g := decode[gatewayToken](t, first)
	the.keep(*g.Token)
	if g.Name != "edge eu" || g.AccountID != a.id || g.Installation || g.CreatedAt == "" || len(*g.Token) != 41 || !strings.HasPrefix(*g.Token, "klgw_") {
		t.Errorf("created: %+v", g)
	}
	again := a.named(t, "gw-1", "POST", tokens, `{"name":" edge eu "}`).ok(t, 201)
	if got := decode[gatewayToken](t, again); got.Token != nil || got.TokenID != g.TokenID || got.CreatedAt != g.CreatedAt || again.position(t) != first.position(t) {
		t.Errorf("repeated: %s", again.body)
	}
	refused(t, a.named(t, "gw-1", "POST", tokens, `{"name":"other"}`), 422, "request.reused")
	second := a.gateway(t, "edge eu")

	list := a.get(t, tokens+fmt.Sprint("?min_position=", first.position(t))).ok(t, 200)
	if got := decode[page[gatewayToken]](t, list).Items; len(got) != 2 || got[0].TokenID != second.TokenID || got[1].TokenID != g.TokenID || got[1].RevokedAt != "" {
		t.Errorf("listed: %s", list.body)
	}
	revoked := a.do(t, "DELETE", tokens+"/"+g.TokenID, "").ok(t, 200)
	if got := decode[gatewayToken](t, revoked); got.RevokedAt == "" || got.TokenID != g.TokenID || got.Name != "edge eu" {
		t.Errorf("revoked: %s", revoked.body)
	}
	if twice := a.do(t, "DELETE", tokens+"/"+g.TokenID, "").ok(t, 200); twice.position(t) != revoked.position(t) || string(twice.body) != string(revoked.body) {
		t.Errorf("revoked twice: %s", twice.body)
	}
	list = a.get(t, tokens).ok(t, 200)
	if got := decode[page[gatewayToken]](t, list).Items; len(got) != 2 || got[0].RevokedAt != "" || got[1].RevokedAt == "" {
		t.Errorf("listed: %s", list.body)
	}
	audit := a.get(t, "/v1/audit?limit=1000").ok(t, 200)
	for _, answer := range []answer{again, list, revoked, audit} {
		if the.leaks(answer.body) || strings.Contains(string(answer.body), "sha256") {
			t.Errorf("the answer shows a token or its hash: %s", answer.body)
		}
	}
	checkGatewayAudit(t, audit, g)
}

// checkGatewayAudit holds that the audit tells what happened to a token, and no more.
func checkGatewayAudit(t *testing.T, audit answer, g gatewayToken) {
	t.Helper()
	var kinds []string
	for _, e := range decode[page[event]](t, audit).Items {
		if e.Event.Subject != g.TokenID {
			continue
		}
		kinds = append(kinds, e.Event.Type)
		if e.Event.Data["token_id"] != g.TokenID || e.Event.Data["name"] != g.Name || len(e.Event.Data) > 3 {
			t.Errorf("the audit shows %v", e.Event.Data)
		}
	}
	if want := []string{"dev.keyledger.gateway.token.revoked.v1", "dev.keyledger.gateway.token.created.v1"}; !slices.Equal(kinds, want) {
		t.Errorf("the audit shows %v, want %v", kinds, want)
	}
}

// TestGatewayTokensOfTheOperator: the operator has tokens for all, and gives a
// tenant its own.
func TestGatewayTokensOfTheOperator(t *testing.T) {
	a := open(t, "strict", "")
	created := func(path, body string) gatewayToken {
		t.Helper()
		g := decode[gatewayToken](t, the.root.do(t, "POST", path, body).ok(t, 201))
		the.keep(*g.Token)
		return g
	}
	all := created("/v1/gateway-tokens", `{"name":"all","installation":true}`)
	own := created("/v1/gateway-tokens?account_id="+a.id, `{"name":"tenant"}`)
	if !all.Installation || all.AccountID != the.operator || own.Installation || own.AccountID != a.id {
		t.Errorf("got %+v and %+v", all, own)
	}
	if got := decode[page[gatewayToken]](t, a.get(t, "/v1/gateway-tokens").ok(t, 200)).Items; len(got) != 1 || got[0].TokenID != own.TokenID {
		t.Errorf("the tenant sees %+v", got)
	}
	refused(t, a.do(t, "DELETE", "/v1/gateway-tokens/"+all.TokenID, ""), 404, "gateway_token.not_found")
	the.root.do(t, "DELETE", "/v1/gateway-tokens/"+all.TokenID, "").ok(t, 200)
	the.root.do(t, "DELETE", "/v1/gateway-tokens/"+own.TokenID+"?account_id="+a.id, "").ok(t, 200)
}

// TestGatewayTokenQuota: however many are asked for at once, no more than 100 are live.
func TestGatewayTokenQuota(t *testing.T) {
	a := open(t, "strict", "")
	answers := make([]answer, 104)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = a.do(t, "POST", "/v1/gateway-tokens", `{"name":"edge"}`) })
	}
	group.Wait()
	live := 0
	for _, got := range answers {
		if got.status != 201 {
			refused(t, got, 409, "gateway_token.quota")
			continue
		}
		live++
		the.keep(*decode[gatewayToken](t, got).Token)
	}
	listed := all(t, a.client, "/v1/gateway-tokens?", 7, func(g gatewayToken) string { return g.TokenID })
	if live != 100 || len(listed) != 100 {
		t.Errorf("%d are live and %d listed, want 100", live, len(listed))
	}
	a.do(t, "DELETE", "/v1/gateway-tokens/"+listed[50], "").ok(t, 200)
	a.gateway(t, "one more")
}

// known is a register of gateway tokens that counts how often it is asked.
type known struct {
	tokens map[string]api.GatewayToken
	asked  int
	err    error
}

func (k *known) Gateway(token string) (api.GatewayToken, bool, error) {
	k.asked++
	g, ok := k.tokens[token]
	return g, ok, k.err
}

// TestGatewayOf: the header is read in one way only, and what is no token of ours
// is not looked up.
func TestGatewayOf(t *testing.T) {
	const token = "klgw_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St3ljC22"
	edge := api.GatewayToken{ID: "KLGT0123456789ABCDEF", Account: "123456789012"}
	for _, c := range []struct {
		name   string
		values []string
		known  bool
		code   string
		asked  int
	}{
		{"a token", []string{"Bearer " + token}, true, "", 1},
		{"in other letters", []string{"bearer " + token}, true, "", 1},
		{"nobody's", []string{"Bearer " + token}, false, "gateway_token.refused", 1},
		{"none", nil, true, "gateway_token.required", 0},
		{"empty", []string{""}, true, "gateway_token.required", 0},
		{"nothing behind it", []string{"Bearer"}, true, "gateway_token.required", 0},
		{"no scheme", []string{token}, true, "gateway_token.required", 0},
		{"another scheme", []string{"Basic " + token}, true, "gateway_token.required", 0},
		{"two spaces", []string{"Bearer  " + token}, true, "gateway_token.required", 0},
		{"something behind it", []string{"Bearer " + token + " x"}, true, "gateway_token.required", 0},
		{"twice", []string{"Bearer " + token, "Bearer " + token}, true, "gateway_token.required", 0},
		{"mistyped", []string{"Bearer " + strings.Replace(token, "Ab", "aB", 1)}, true, "gateway_token.required", 0},
		{"a secret", []string{"Bearer kls_0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St07EE8W"}, true, "gateway_token.required", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			register := &known{tokens: map[string]api.GatewayToken{}}
			if c.known {
				register.tokens[token] = edge
			}
			got, err := api.GatewayOf(register, c.values)
			p, _ := errors.AsType[*api.Problem](err)
			switch {
			case c.code == "" && (err != nil || got != edge):
				t.Errorf("got %+v, %v", got, err)
			case c.code != "" && (p == nil || p.Code != c.code || p.Status != http.StatusUnauthorized || got != api.GatewayToken{}):
				t.Errorf("got %+v, %v, want %s", got, err, c.code)
			case register.asked != c.asked:
				t.Errorf("looked up %d times, want %d", register.asked, c.asked)
			case err != nil && strings.Contains(err.Error(), token[:10]):
				t.Errorf("the refusal repeats the token: %v", err)
			}
		})
	}
}

func TestServes(t *testing.T) {
	const own, other events.AccountID = "111111111111", "222222222222"
	bound, wide := api.GatewayToken{Account: own}, api.GatewayToken{Account: own, Installation: true}
	if !bound.Serves(own) || bound.Serves(other) || !wide.Serves(own) || !wide.Serves(other) {
		t.Errorf("%v %v %v %v", bound.Serves(own), bound.Serves(other), wide.Serves(own), wide.Serves(other))
	}
}
