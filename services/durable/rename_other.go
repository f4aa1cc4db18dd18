//go:build !linux

package durable

// renameNew renames from to a name that is not taken.
func renameNew(from, to string) error { return linkNew(from, to) }
