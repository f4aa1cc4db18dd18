package journal

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/keyledger/keyledger/events"
)

// Headers that an append sends, and that lie in the log with the message.
const (
	headerExpected    = "Nats-Expected-Last-Subject-Sequence"
	headerContentType = "Content-Type"
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
)

// Error codes of JetStream that we tell apart.
const (
	codeMoved         = 10071 // wrong last sequence: N
	codeMovedInFlight = 10164 // wrong last sequence: somebody else's is under way
	codeNoResources   = 10023 // the server's own limit
	codeNoStorage     = 10047
	codeMaxBytes      = 10077
	codeNoStream      = 10059
)

// An apiError is what JetStream answers instead of what was asked for.
type apiError struct {
	Code        int    `json:"code"`
	ErrCode     int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%s (code %d)", e.Description, e.ErrCode) }

// message is e as it is published on its own.
func (e *entry) message() *nats.Msg {
	return &nats.Msg{Subject: e.subject, Data: e.data, Header: nats.Header{
		headerExpected:    {strconv.FormatUint(uint64(e.after), 10)},
		headerContentType: {events.ContentType},
	}}
}

// readAck reads what a publish was answered with: the sequence of what it wrote,
// or an *apiError, which says that nothing was written.
func readAck(m *nats.Msg) (events.Position, error) {
	var ack struct {
		Seq   uint64    `json:"seq"`
		Error *apiError `json:"error"`
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return 0, fmt.Errorf("journal: an acknowledgement that cannot be read: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error
	}
	if ack.Seq == 0 {
		return 0, fmt.Errorf("journal: an acknowledgement without a position: %q", m.Data)
	}
	return events.Position(ack.Seq), nil
}
