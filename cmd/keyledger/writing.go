package main

import (
	"context"
	"encoding/json"
)

// writing holds the flag of every command that changes something.
type writing struct {
	RequestID string `name:"request-id" placeholder:"ID" help:"Send an earlier request again under its ID, to learn or finish its outcome; it is never done twice."`
}

// write carries out a call that changes something, under the ID that was given, the
// call's own or a new one.
func (w writing) write(ctx context.Context, c *client, call call) (json.RawMessage, error) {
	if w.RequestID != "" {
		call.requestID = w.RequestID
	}
	if call.requestID == "" {
		id, err := newRequestID()
		if err != nil {
			return nil, err
		}
		call.requestID = id
	}
	return c.do(ctx, call)
}

// given is an object of the texts that are not empty; names and texts in turn.
func given(texts ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(texts); i += 2 {
		if texts[i+1] != "" {
			out[texts[i]] = texts[i+1]
		}
	}
	return out
}
