package node

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/keyledger/keyledger/services/durable"
	"github.com/keyledger/keyledger/services/verify"
)

// noncesFile says what may be missing of the nonces in the log: docs/format/data-directory.md.
const noncesFile = "nonces"

// A nonceMark is what the file holds. There is none where nothing is missing.
type nonceMark struct {
	// Async: a server answers before records are on disk, or one did and never came to its end.
	Async bool `json:"async,omitempty"`
	// Unknown is until when requests may have been signed whose nonces are lost.
	Unknown time.Time `json:"unknown_until,omitzero"`
}

// beginNonces says, before anybody is answered, what this server may leave behind, and has the
// verifier refuse what it cannot know after one that left something.
func (n *Node) beginNonces(v *verify.Verifier) error {
	now := n.config.Now()
	mark, err := n.readMark()
	if err != nil || mark.Async {
		mark.Unknown = now.Add(clockAhead)
		n.config.Logger.Warn("the server before this one answered before its access records were on disk, and never came to its end: requests with a nonce that may have come before are refused", "until", mark.Unknown)
	}
	if mark.Unknown.Add(verify.MaxReplayWindow).Before(now) {
		mark.Unknown = time.Time{}
	}
	if !mark.Unknown.IsZero() {
		v.Forgotten(mark.Unknown)
	}
	mark.Async = n.config.AsyncUses
	n.mark = mark
	return n.writeMark()
}

// endNonces says that every record that was answered for is in the log.
func (n *Node) endNonces() error {
	n.mark.Async = false
	return n.writeMark()
}

// tidyMark forgets what counts no more.
func (n *Node) tidyMark() {
	if n.mark.Unknown.IsZero() || !n.mark.Unknown.Add(verify.MaxReplayWindow).Before(n.config.Now()) {
		return
	}
	n.mark.Unknown = time.Time{}
	if err := n.writeMark(); err != nil {
		n.config.Logger.Warn("what is known of nonces could not be written down", "error", err)
	}
}

func (n *Node) markPath() string { return filepath.Join(n.config.Data, noncesFile) }

func (n *Node) readMark() (m nonceMark, err error) {
	text, err := os.ReadFile(n.markPath())
	if isMissing(err) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

func (n *Node) writeMark() error {
	if n.mark == (nonceMark{}) {
		if err := os.Remove(n.markPath()); err != nil && !isMissing(err) {
			return err
		}
		return nil
	}
	text, err := json.Marshal(n.mark)
	if err != nil {
		return err
	}
	return durable.WriteFile(n.markPath(), append(text, '\n'), 0o600)
}
