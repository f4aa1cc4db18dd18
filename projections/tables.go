package projections

// A TableID is the first byte of every key of a table.
type TableID byte

// Every table there is. The numbers are on disk: add, never reuse one. A table
// belongs to one projection.
const (
	// the store itself
	tableMeta TableID = 0x01 // identity, positions, generations, acknowledgements

	// the generic fold
	TableKeyrings     TableID = 0x10 // state of a keyring, by account and user
	TableAccountState TableID = 0x11 // state of an account, by account
	TableUserState    TableID = 0x12 // state of a user, by account and user
	TableGatewayState TableID = 0x13 // state of a gateway token, by account and token

	// keys
	TableKeys          TableID = 0x20 // a key, by its ID
	TableSealed        TableID = 0x21 // a key's sealed secret, by its ID
	TableKeysByUser    TableID = 0x22 // account, user, live or purged, newest first
	TableKeysByAccount TableID = 0x23 // account, status, newest first

	// directory
	TableAccounts       TableID = 0x30 // an account, by its ID
	TableAccountsByName TableID = 0x31 // folded name, ID
	TableAccountsByAge  TableID = 0x32 // newest first
	TableUsers          TableID = 0x33 // a user, by account and ID
	TableUsersByName    TableID = 0x34 // account, folded name
	TableUsersByAge     TableID = 0x35 // account, newest first

	// deadlines
	TableDue        TableID = 0x40 // keys to purge, by time
	TableDueOf      TableID = 0x41 // the time at which a key is to be purged, by its ID
	TableClosed     TableID = 0x42 // closed keyrings whose user exists, by time
	TableClosedWhen TableID = 0x43 // the time at which a keyring was closed, by account and user

	// requests
	TableRequests TableID = 0x50 // scope, actor, request ID

	// audit
	TableAudit          TableID = 0x60 // a record, latest first
	TableAuditByAccount TableID = 0x61 // account, latest first
	TableAuditBySubject TableID = 0x62 // account and user, latest first
	TableAuditByActor   TableID = 0x63 // actor, latest first
	TableAuditByAction  TableID = 0x64 // name of an event that is not about a key, latest first
	TableAuditKeyrings  TableID = 0x65 // the keyring of a key, by its ID
	TableAuditEnd       TableID = 0x66 // the latest time so far and the last position: one row

	// gateway tokens
	TableGatewayTokens      TableID = 0x70 // a gateway token, by its hash
	TableGatewayTokensByID  TableID = 0x71 // account, ID
	TableGatewayTokensByAge TableID = 0x72 // account, newest first
)

// tableNames are what operators and tests call the tables.
var tableNames = map[TableID]string{
	tableMeta:     "meta",
	TableKeyrings: "keyrings", TableAccountState: "account-state", TableUserState: "user-state", TableGatewayState: "gateway-state",
	TableKeys: "keys", TableSealed: "sealed", TableKeysByUser: "keys-by-user", TableKeysByAccount: "keys-by-account",
	TableAccounts: "accounts", TableAccountsByName: "accounts-by-name", TableAccountsByAge: "accounts-by-age",
	TableUsers: "users", TableUsersByName: "users-by-name", TableUsersByAge: "users-by-age",
	TableDue: "due", TableDueOf: "due-of", TableClosed: "closed", TableClosedWhen: "closed-when",
	TableRequests: "requests",
	TableAudit:    "audit", TableAuditByAccount: "audit-by-account", TableAuditBySubject: "audit-by-subject",
	TableAuditByActor: "audit-by-actor", TableAuditByAction: "audit-by-action",
	TableAuditKeyrings: "audit-keyrings", TableAuditEnd: "audit-end",
	TableGatewayTokens: "gateway-tokens", TableGatewayTokensByID: "gateway-tokens-by-id", TableGatewayTokensByAge: "gateway-tokens-by-age",
}

func (id TableID) String() string { return tableNames[id] }
