package huawei

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
)

// A failure is every error but one.
type failure struct {
	Code      string `json:"error_code"`
	Message   string `json:"error_msg"`
	RequestID string `json:"request_id"`
}

// A quotaAnswer is how version 3 says that a user has as many keys as it may have: its code is
// a number.
type quotaAnswer struct {
	Error struct {
		Message string `json:"message"`
		Code    int    `json:"code"`
		Title   string `json:"title"`
	} `json:"error"`
}

func newQuotaAnswer(e refusal) quotaAnswer {
	var a quotaAnswer
	a.Error.Message, a.Error.Code, a.Error.Title = e.message, e.status, http.StatusText(e.status)
	return a
}

// write sends the whole answer at once, with its length. An answer of nil has no body.
func write(w http.ResponseWriter, status int, requestID string, answer any) {
	h := w.Header()
	h.Set("X-Request-Id", requestID)
	h.Set("Cache-Control", "no-store")
	if answer == nil {
		w.WriteHeader(status)
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil { // the answers are all of plain text
		status = http.StatusInternalServerError
		b.Reset()
	}
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a caller that is gone is not told
}
