package feed

import "fmt"

// A Reason is why a reader cannot begin.
type Reason string

// The reasons.
const (
	Malformed Reason = "malformed" // it is no place at all
	Ahead     Reason = "ahead"     // a place that the log has not reached
	Expired   Reason = "expired"   // a place further back than events are told
	Crowded   Reason = "crowded"   // too many read already
	Replaced  Reason = "replaced"  // a place in another log than this one
	// Unreadable is a place that the log holds and cannot be read.
	Unreadable Reason = "unreadable"
)

// A RefusedError says why a reader cannot begin. Detail is for people.
type RefusedError struct {
	Reason Reason
	Detail string
}

func (e *RefusedError) Error() string { return "feed: " + e.Detail }

func refuse(r Reason, format string, args ...any) error {
	return &RefusedError{Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// An End says why a reader gets no more. Code never changes its meaning; Detail is for
// people.
type End struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	// Resumable is whether the same reader can go on from the cursor.
	Resumable bool `json:"resumable"`
}

// The ends. Whoever writes to a reader finds out whether it is slow.
var (
	EndCaughtUp    = End{"events.caught_up", "this is all there was when it was asked for", true}
	EndUntil       = End{"events.until", "this is all there is of before the time until which it was asked for", true}
	EndSlow        = End{"events.slow_reader", "the events were not read as fast as they must be; go on from the cursor", true}
	EndStopping    = End{"events.stopping", "the server is stopping; go on from the cursor", true}
	EndUnavailable = End{"events.unavailable", "the log cannot be read now; go on from the cursor", true}
	EndExpired     = End{"events.expired", "what comes next is not kept any more; begin anew, from=earliest is the oldest there is", false}
	EndDenied      = End{"events.denied", "the key is not active any more, under leak protection or not to be used from there, or its user may not read this any more", false}
	EndUnreadable  = End{"events.unreadable", "what comes next cannot be read; an operator has to look at the log", true}
)
