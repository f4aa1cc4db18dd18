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
