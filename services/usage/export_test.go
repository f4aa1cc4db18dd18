package usage

import "time"

// Doubtful is c, with so long a time after which the log may have forgotten the name of a batch.
func Doubtful(c Config, d time.Duration) Config {
	c.doubtful = d
	return c
}

// LeastHold is what a refusal takes at least.
const LeastHold = leastHold

// Pace is what a pace says that has seen some waits.
func Pace(waits []time.Duration) (most, one time.Duration) {
	var p pace
	for _, w := range waits {
		p.saw(w)
	}
	return p.most(), p.one()
}
