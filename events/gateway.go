package events

// GatewayTokenCreated records that a gateway may ask for verification by a new
// token. It is a fact of the account whose token it is: the operator's, if the
// token serves the whole installation.
type GatewayTokenCreated struct {
	Token        GatewayTokenID `json:"token_id"`
	Name         string         `json:"name"`
	Account      AccountID      `json:"account_id"`
	Installation bool           `json:"installation,omitempty"` // serves every account; else its own only
	// Hash is the SHA-256 of the token in lower-case hex. The token itself is
	// nowhere. Nobody outside needs the hash: Public leaves it out.
	Hash string `json:"token_sha256,omitempty"`
}

// GatewayTokenRevoked records that a gateway token serves nobody any more.
type GatewayTokenRevoked struct {
	Token GatewayTokenID `json:"token_id"`
	Name  string         `json:"name"`
}

func (GatewayTokenCreated) Kind() string { return "gateway.token.created" }
func (GatewayTokenRevoked) Kind() string { return "gateway.token.revoked" }

func (e GatewayTokenCreated) About() string { return string(e.Token) }
func (e GatewayTokenRevoked) About() string { return string(e.Token) }

func (GatewayTokenCreated) event() {}
func (GatewayTokenRevoked) event() {}
