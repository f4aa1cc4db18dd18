package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A State is what a node knows of itself at a moment.
type State struct {
	Position    uint64 // last of LEDGER; zero if the log does not answer
	Projections []Projection
	Records     Records
	Uses        Uses
	Ready       bool
	Writable    bool
	Whole       bool
	Trusted     bool   // the clock
	FreeBytes   uint64 // on the disk of the log
	Restarts    int    // of the log's server
	// DamagedBlocks is how many files of the log the scan found damaged.
	DamagedBlocks int
	// ScanRounds is how often the scan has read LEDGER through, FileRounds how often the files.
	ScanRounds, FileRounds int
	// Watermark is how long ago what is known here had last reached the log's end.
	Watermark time.Duration
	Readers   Readers
}

// Readers are those who follow events.
type Readers struct {
	Count int
	// Ledger and Used are how many messages of a stream the reader that is furthest
	// behind in it has before it.
	Ledger, Used uint64
}

// A Projection is how far a projection has come.
type Projection struct {
	Name     string
	Position uint64
	Degraded bool
	// Behind is the age of the oldest record that it has not applied; zero if there is none.
	Behind time.Duration
}

// Records is how far access records have come.
type Records struct {
	Position uint64 // last message of USED that is applied
	Last     uint64 // last message of USED
	Stopped  bool
	Damaged  int           // places at which messages of USED or SUMMARY were lost and that no operator has let pass
	Behind   time.Duration // age of the oldest message that is not applied; zero if there is none
}

// Uses counts records since the start.
type Uses struct {
	Recorded, Messages, Shed, Uncertain, Failed, Summarised, Unknown uint64

	Waiting int
	// Oldest is for how many seconds the oldest of them has waited, Window after how many no more are taken.
	Oldest, Window float64
}

// A state collects what ask tells.
type state struct{ ask func() State }

// descriptions are those of all metrics of a state.
var descriptions []*prometheus.Desc

func metric(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

var (
	descPosition  = metric("log_position", "The last position of LEDGER.")
	descProjected = metric("projection_position", "The last position that a projection has applied.", "projection")
	descLag       = metric("projection_lag_positions", "How many positions of LEDGER a projection has not applied.", "projection")
	descBehind    = metric("projection_lag_seconds", "The age of the oldest record of LEDGER that a projection has not applied; 0 if there is none.", "projection")
	descDegraded  = metric("projection_degraded", "1 if a projection has stopped at a record that it cannot apply.", "projection")
	descRecords   = metric("records_position", "The last message of USED that access records answer from.")
	descRecordLag = metric("records_lag_messages", "How many messages of USED are not applied.")
	descRecordAge = metric("records_lag_seconds", "The age of the oldest message of USED that is not applied; 0 if there is none.")
	descWatermark = metric("verifier_watermark_age_seconds", "How long ago what this node verifies by had last reached the end of the log. Over 1, it refuses to decide.")
	descReaders   = metric("event_readers", "Readers that follow events over HTTP.")
	descReaderLag = metric("consumer_lag_messages", "How many messages of a stream (ledger: one decision each, used: up to 500 records each) the reader of events over HTTP that is furthest behind has before it.", "stream")
	descStopped   = metric("records_stopped", "1 if access records follow the log no more.")
	descDamaged   = metric("records_damaged", "Places at which messages of USED or SUMMARY were lost and that no operator has let pass.")
	descBlocks    = metric("log_damaged_blocks", "Files of the log that the scan found damaged in its last round.")
	descRounds    = metric("log_scan_rounds_total", "How often the background scan has read all of LEDGER (part=\"ledger\") or the files of the log (part=\"files\") since the start.", "part")
	descReady     = metric("ready", "1 if commands and verification are served.")
	descWritable  = metric("log_writable", "1 if the log takes writes.")
	descWhole     = metric("log_whole", "1 if nothing is known to be wrong with what the log holds.")
	descTrusted   = metric("clock_trusted", "1 if the clock is trusted with purging and trimming.")
	descFree      = metric("log_free_bytes", "Bytes free on the disk of the log.")
	descRestarts  = metric("log_restarts_total", "Restarts of the log's server after its disk failed it.")
	descRecorded  = metric("uses_recorded_total", "Access records that the log has acknowledged.")
	descMessages  = metric("uses_messages_total", "Messages that they were in.")
	descShed      = metric("uses_shed_total", "Access records refused because more waited than may, or for longer; a batch that is refused counts once.")
	descUncertain = metric("uses_uncertain_total", "Access records of which the log did not say whether they were recorded. A caller who did not wait for the answer is not counted here.")
	descFailed    = metric("uses_failed_total", "Access records that were not recorded because the log took no writes; in the async mode only at a stop.")
	descSummed    = metric("uses_summarised_total", "Attempts beyond the bound for a key and second: counted in a summary, not recorded one by one.")
	descUnknown   = metric("uses_unknown_key_total", "Requests that named no key of this ledger.")
	descOldest    = metric("uses_oldest_waiting_seconds", "For how long the oldest access record that is not written has waited.")
	descWindow    = metric("uses_loss_window_seconds", "In the async mode, of how many seconds a crash loses access records at most: when one has waited longer, verification answers 503. 0 in the durable mode, in which none is lost that was answered for, but for what docs/operate.md says of attempts beyond a bound.")
	descWaiting   = metric("uses_waiting", "Access records that wait to be written; in the async mode what a crash loses, beside what is counted of attempts.")
)

// Describe implements prometheus.Collector.
func (state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (s state) Collect(out chan<- prometheus.Metric) {
	now := s.ask()
	is := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	if now.Position > 0 {
		is(descPosition, float64(now.Position))
	}
	for _, p := range now.Projections {
		is(descProjected, float64(p.Position), p.Name)
		is(descLag, behind(now.Position, p.Position), p.Name)
		is(descBehind, p.Behind.Seconds(), p.Name)
		is(descDegraded, one(p.Degraded), p.Name)
	}
	is(descRecords, float64(now.Records.Position))
	is(descRecordLag, behind(now.Records.Last, now.Records.Position))
	is(descRecordAge, now.Records.Behind.Seconds())
	is(descWatermark, now.Watermark.Seconds())
	is(descReaders, float64(now.Readers.Count))
	is(descReaderLag, float64(now.Readers.Ledger), "ledger")
	is(descReaderLag, float64(now.Readers.Used), "used")
	is(descStopped, one(now.Records.Stopped))
	is(descDamaged, float64(now.Records.Damaged))
	is(descReady, one(now.Ready))
	is(descWritable, one(now.Writable))
	is(descWhole, one(now.Whole))
	is(descBlocks, float64(now.DamagedBlocks))
	is(descTrusted, one(now.Trusted))
	is(descFree, float64(now.FreeBytes))
	is(descWaiting, float64(now.Uses.Waiting))
	is(descOldest, now.Uses.Oldest)
	is(descWindow, now.Uses.Window)
	count(descRounds, uint64(now.ScanRounds), "ledger")
	count(descRounds, uint64(now.FileRounds), "files")
	count(descRestarts, uint64(now.Restarts))
	count(descRecorded, now.Uses.Recorded)
	count(descMessages, now.Uses.Messages)
	count(descShed, now.Uses.Shed)
	count(descUncertain, now.Uses.Uncertain)
	count(descFailed, now.Uses.Failed)
	count(descSummed, now.Uses.Summarised)
	count(descUnknown, now.Uses.Unknown)
}

// behind is how far p is behind last.
func behind(last, p uint64) float64 {
	if last <= p {
		return 0
	}
	return float64(last - p)
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
