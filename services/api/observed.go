package api

import "net/http"

// An observed answer remembers what is told of it.
type observed struct {
	http.ResponseWriter
	status    int
	operation string
	begun     bool // the status has been sent
}

// operation says what a request asks for, in words that no client chooses.
func operation(w http.ResponseWriter, name string) {
	if o, ok := w.(*observed); ok {
		o.operation = name
	}
}

func (o *observed) WriteHeader(status int) {
	if !o.begun && status >= 200 {
		o.status, o.begun = status, true
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(b []byte) (int, error) {
	o.begun = true
	return o.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }
