package events

import "time"

// RecordAcknowledged records that an operator looked at a record that a
// projection could not apply and let that projection pass it. It is a fact of
// the operator's account, so that a rebuild passes the same record again.
//
// For "records" and "summary" the position is that of a message of USED or SUMMARY that is
// lost or cannot be read, and Through the last of those that are lost with it.
type RecordAcknowledged struct {
	Projection string   `json:"projection"`
	Position   Position `json:"position"`
	Through    Position `json:"through,omitzero"`
	Reason     string   `json:"reason"`
}

// ClockConfirmed records that an operator looked at the clock and found it
// right, after the timekeeper had stopped purging because it might not be.
type ClockConfirmed struct {
	Account AccountID `json:"account_id"`
	Clock   time.Time `json:"clock"`
}

func (RecordAcknowledged) Kind() string { return "record.acknowledged" }
func (ClockConfirmed) Kind() string     { return "clock.confirmed" }

func (e RecordAcknowledged) About() string { return e.Projection }
func (e ClockConfirmed) About() string     { return string(e.Account) }

func (RecordAcknowledged) event() {}
func (ClockConfirmed) event()     {}
