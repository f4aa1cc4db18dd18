package aws

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

type successEnvelope struct {
	XMLName  xml.Name
	Result   any
	Metadata struct {
		RequestID string `xml:"RequestId"`
	} `xml:"ResponseMetadata"`
}

func success(namespace, action string, result any, requestID string) any {
	e := successEnvelope{XMLName: xml.Name{Space: namespace, Local: action + "Response"}, Result: result}
	e.Metadata.RequestID = requestID
	return e
}

type failureEnvelope struct {
	XMLName xml.Name
	Error   struct {
		Type, Code, Message string
	}
	RequestID string `xml:"RequestId"`
}

func failure(namespace string, r refusal, requestID string) any {
	e := failureEnvelope{XMLName: xml.Name{Space: namespace, Local: "ErrorResponse"}, RequestID: requestID}
	e.Error.Type, e.Error.Code, e.Error.Message = "Sender", r.code, r.message
	if r.status >= http.StatusInternalServerError {
		e.Error.Type = "Receiver"
	}
	return e
}

// write sends the whole answer at once, with its length: clients of this
// vendor were seen to fail on an answer that came in two pieces.
func write(w http.ResponseWriter, status int, requestID string, envelope any) {
	body, err := xml.Marshal(envelope)
	if err != nil { // the envelopes above are all of plain text
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", "text/xml")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Amzn-Requestid", requestID)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that is gone is not told
}
