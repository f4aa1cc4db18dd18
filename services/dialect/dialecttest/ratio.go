package dialecttest

import (
	"syscall"
	"testing"
	"time"

	"github.com/keyledger/keyledger/services/dialect"
)

// Verify reads a request by one scheme and checks it, as the verifier does: the claims lie in memory that the next
// request gets.
func Verify(s dialect.Scheme, r *dialect.Request, secret []byte, at time.Time) error {
	scratch := dialect.NewScratch()
	defer scratch.Release()
	claims, err := s.Read(r, scratch)
	if err == nil {
		_, err = dialect.CheckAny(claims, secret, at)
	}
	return err
}

// Ratio runs whole and bare by turns, 64 of each at a time, and reports as x-bare how many times the
// processor time of bare whole takes. Whatever else the machine does slows both alike; what the
// garbage of either costs falls on the one that made it, but for where a turn ends.
//
// bare is the cryptography that whole cannot do without, by plain calls of the library: it is for the
// caller to say what that is. ns-whole and ns-bare are the processor time of one call.
func Ratio(b *testing.B, whole, bare func()) {
	const turn = 64
	var ofWhole, ofBare time.Duration
	turns := 0
	b.ReportAllocs()
	for b.Loop() {
		start := processorTime(b)
		for range turn {
			whole()
		}
		middle := processorTime(b)
		for range turn {
			bare()
		}
		ofWhole, ofBare = ofWhole+middle-start, ofBare+processorTime(b)-middle
		turns++
	}
	b.ReportMetric(float64(ofWhole)/float64(ofBare), "x-bare")
	b.ReportMetric(float64(ofWhole.Nanoseconds())/float64(turns*turn), "ns-whole")
	b.ReportMetric(float64(ofBare.Nanoseconds())/float64(turns*turn), "ns-bare")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
