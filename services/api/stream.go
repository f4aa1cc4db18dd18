package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/keyledger/keyledger/services/feed"
)

// Patience is how long a reader of events may take for what it is sent, about 64 KiB
// at a time.
type Patience struct {
	Slow time.Duration // one that takes longer is told that it is slow, and no more; 5 s if zero
	Cut  time.Duration // one that takes longer is cut off without another word; 15 s if zero
}

// stopPatience is how long a reader has for what is left when the server stops.
const stopPatience = 2 * time.Second

// chunk is how much is held back at most while more is at hand.
const chunk = 64 << 10

// A line is what JSON Lines consist of: an event, an end, or neither, which says that the
// reader is still served and where it is by now.
type line struct {
	Cursor string          `json:"cursor" doc:"where to go on"`
	Event  json.RawMessage `json:"event,omitempty" doc:"a CloudEvents 1.0 event in JSON, without what is sealed"`
	End    *feed.End       `json:"end,omitempty" doc:"why there are no more; the last line has it"`
}

var lineType = reflect.TypeFor[line]()

// A stream writes events to one who reads them.
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	lines    bool
	patience Patience
	buffer   []byte

	mu             sync.Mutex
	stopping, over bool
}

func newStream(w http.ResponseWriter, lines bool, p Patience) *stream {
	if p.Slow == 0 {
		p.Slow = 5 * time.Second
	}
	if p.Cut == 0 {
		p.Cut = 3 * p.Slow
	}
	return &stream{w: w, control: http.NewResponseController(w), lines: lines, patience: p}
}

// send writes until the reader, the feed or the connection ends.
func (s *stream) send(ctx context.Context, r *feed.Reader) {
	media := mediaSSE
	if s.lines {
		media = mediaLines
	}
	s.w.Header().Set("Content-Type", media)
	s.w.Header().Set("X-Accel-Buffering", "no") // or nginx holds events back
	_ = s.control.SetReadDeadline(time.Time{})  // the request is read; the server's deadline for that is not ours
	s.within(0, false)
	s.w.WriteHeader(http.StatusOK)
	defer s.hurry(r)()
	for item := range r.Items(ctx) {
		s.append(item)
		if len(s.buffer) < chunk && !item.Flush {
			continue
		}
		began := time.Now()
		if s.flush() != nil {
			return
		}
		if item.End == nil && time.Since(began) > s.patience.Slow {
			r.Ended(feed.EndSlow)
			s.append(feed.Item{Cursor: item.Cursor, End: &feed.EndSlow})
			_ = s.flush()
			return
		}
	}
}

// hurry shortens what a reader has for its last events when the server stops.
func (s *stream) hurry(r *feed.Reader) (done func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-r.Stopping():
			s.within(stopPatience, true)
		case <-over:
		}
	}()
	return func() {
		close(over)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over = true
	}
}

// flush has what was held back go out. Between two writes there is no deadline: in
// HTTP/2 it would end an answer that is idle.
func (s *stream) flush() error {
	s.within(s.patience.Cut, false)
	defer s.within(0, false)
	if _, err := s.w.Write(s.buffer); err != nil {
		return err
	}
	s.buffer = s.buffer[:0]
	return s.control.Flush()
}

// within sets how long the reader may take from now on; zero is for ever. Once the server
// stops, no deadline is put off again; once the answer is over, there is nothing to set it on,
// and in HTTP/2 to try it would be the end of the process.
func (s *stream) within(d time.Duration, stopping bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.over {
		return
	}
	s.stopping = stopping
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = s.control.SetWriteDeadline(deadline)
}

func (s *stream) append(i feed.Item) {
	switch {
	case i.Event == nil && i.End == nil && !i.Alive:
	case s.lines:
		s.appendLine(i)
	default:
		s.appendSSE(i)
	}
}

func (s *stream) appendLine(i feed.Item) {
	text, err := json.Marshal(line{Cursor: i.Cursor.String(), Event: i.Event, End: i.End})
	if err != nil {
		panic("api: an event that is not JSON: " + err.Error()) // the feed has just written it
	}
	s.buffer = append(append(s.buffer, text...), '\n')
}

// appendSSE writes an event as the HTML standard, section 9.2, has it. One without data is
// not dispatched, but moves the reader's Last-Event-ID.
func (s *stream) appendSSE(i feed.Item) {
	if i.Alive {
		s.buffer = append(s.buffer, ": alive\n"...)
	}
	s.buffer = append(append(append(s.buffer, "id: "...), i.Cursor.String()...), '\n')
	kind, data := i.Type, i.Event
	if i.End != nil {
		kind = "end"
		data, _ = json.Marshal(i.End) // strings and a truth value
	}
	if data != nil {
		s.buffer = append(append(append(s.buffer, "event: "...), kind...), '\n')
		s.buffer = append(append(append(s.buffer, "data: "...), data...), '\n')
	}
	s.buffer = append(s.buffer, '\n')
}
