//go:build !linux

package vault

// HardenProcess does nothing on this system.
func HardenProcess() error { return nil }
