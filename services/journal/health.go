package journal

import "github.com/keyledger/keyledger/events"

// Health is the truth about a log that is open.
type Health struct {
	Writable bool   // ordinary decisions are written
	Reserve  bool   // decisions with Reserve are written
	Reason   string // why not, if not; for operators and clients alike
	Free     uint64 // bytes on the store's disk at the last look
	Sick     string // what the server says is wrong with it; empty if nothing is
	Restarts int    // of the server since Open, after its disk failed it
	Fault    *RefusedError
	Scan     ScanHealth
	// Damages are the places at which messages of USED and SUMMARY were lost and that no
	// operator has let pass.
	Damages []Damage
	// Suspects are the streams beside LEDGER of which something was met that is damaged since the server began: which messages are
	// lost, its next start says.
	Suspects []string
}

// Whole reports whether nothing is known to be wrong with what the log holds.
func (h Health) Whole() bool {
	return h.Fault == nil && len(h.Scan.Found)+len(h.Scan.Blocks)+len(h.Damages)+len(h.Suspects) == 0
}

// Health says how the log is. It is cheap and may be asked for often.
func (j *Journal) Health() Health {
	h := Health{Sick: j.host.sick(), Fault: j.fault.Load(), Scan: j.scan.state(), Damages: j.Unacknowledged(), Suspects: j.suspects.met()}
	j.watch.mu.Lock()
	h.Free, h.Restarts = j.watch.free, j.watch.restarts
	j.watch.mu.Unlock()
	h.Reserve, _ = admitted(j.admit(true))
	h.Writable, h.Reason = admitted(j.admit(false))
	return h
}

func admitted(off *events.UnavailableError) (bool, string) {
	if off == nil {
		return true, ""
	}
	return false, off.Reason
}
