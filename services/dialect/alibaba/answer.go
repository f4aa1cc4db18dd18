package alibaba

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/keyledger/keyledger/services/dialect"
)

// Formats of answers.
const (
	formatJSON = "JSON"
	formatXML  = "XML"
)

// formatOf is what r wants its answer in: JSON, unless it asks for XML or is an RPC request,
// which gets XML if it does not say.
func formatOf(r *dialect.Request) string {
	format := parameterOf(r, "Format")
	switch {
	case strings.EqualFold(format, formatXML):
		return formatXML
	case format != "":
		return formatJSON
	case isRPC(r) && !byHeader(r):
		return formatXML
	}
	return formatJSON
}

// write sends the whole answer at once, with its length. result is a struct, or nil; the
// request's ID stands before what it holds.
func write(w http.ResponseWriter, status int, format, requestID, root string, result any) {
	requestID = strings.ToUpper(requestID) // as the vendor's are
	kind, body := "application/json;charset=utf-8", []byte(nil)
	var err error
	if format == formatXML {
		kind = "text/xml;charset=utf-8"
		body, err = xmlAnswer(root, requestID, result)
	} else {
		body, err = jsonAnswer(requestID, result)
	}
	if err != nil { // the results are all of plain text
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Acs-Request-Id", requestID)
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that is gone is not told
}

func jsonAnswer(requestID string, result any) ([]byte, error) {
	id, err := json.Marshal(requestID)
	if err != nil {
		return nil, err
	}
	b := append([]byte(`{"RequestId":`), id...)
	if result == nil {
		return append(b, '}'), nil
	}
	rest, err := json.Marshal(result)
	if err != nil {
		return nil, err
	}
	return append(append(b, ','), rest[1:]...), nil
}

func xmlAnswer(root, requestID string, result any) ([]byte, error) {
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	parts := []error{e.EncodeElement(requestID, element("RequestId"))}
	if result != nil {
		parts = append(parts, e.EncodeElement(result, element("Result")), e.Flush())
	}
	inner := strings.Replace(b.String(), "<Result>", "", 1) // the result's members stand beside the ID
	inner = strings.TrimSuffix(inner, "</Result>")
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><` + root + ">" + inner + "</" + root + ">"), errors.Join(parts...)
}

func element(name string) xml.StartElement { return xml.StartElement{Name: xml.Name{Local: name}} }
