package tencent

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
)

// An answer is the members of Response beside RequestId.
type answer map[string]any

// write sends the whole answer at once, with its length. The status is 200 whatever it says: with any other
// the SDK for Go reports the status alone and the one for Node loses the code.
func write(w http.ResponseWriter, requestID string, members answer) {
	response := answer{"RequestId": requestID}
	maps.Copy(response, members)
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	_ = e.Encode(map[string]answer{"Response": response}) // of texts and numbers alone
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body.Bytes()) // a caller that is gone is not told
}
