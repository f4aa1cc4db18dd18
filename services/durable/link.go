package durable

import "os"

// linkNew renames in two steps, which every file system with hard links can. If
// the second fails or never comes, it leaves the temporary as a second name of the file, for
// RemoveLeftovers to find.
func linkNew(from, to string) error {
	if err := os.Link(from, to); err != nil {
		return err
	}
	_ = os.Remove(from)
	return nil
}
