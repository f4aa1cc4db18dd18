package usage

import "time"

// Doubtful is c, with so long a time after which the log may have forgotten the name of a batch.
func Doubtful(c Config, d time.Duration) Config {
	c.doubtful = d
	return c
}
