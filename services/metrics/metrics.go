// Package metrics is what a node tells Prometheus: how long requests, verdicts and
// appends take, how they end, how far every part has come, and whether it is well.
//
// The way in is [New]; [Metrics.Handler] answers scrapes. What is counted where it happens is
// told to the methods that observe; what a node knows anyway is asked for at each scrape.
//
// The limits: no label ever holds a key, a user, an account or anything else that a
// client chooses, so that no client can make a series, and a scrape tells nobody's business. The
// names are an interface: docs/metrics.md, generated from this package, lists them.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// namespace is what every name begins with.
const namespace = "keyledger"

// fast are the bounds, in seconds, of what is expected to take from microseconds to a second.
var fast = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// Metrics are a node's. They may be used by many goroutines at once.
type Metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.HistogramVec
	verdicts   *prometheus.HistogramVec
	decisions  *prometheus.CounterVec
	appends    *prometheus.HistogramVec
	envoy      *prometheus.HistogramVec
	revocation prometheus.Histogram
	readerEnds *prometheus.CounterVec
}

// New makes the metrics of a node of a version, whose state ask tells at each scrape.
func New(version string, ask func() State) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds", Buckets: fast,
			Help: "Time to answer a request once its header is read, by operation (that of the API description, or the door it came through) and status.",
		}, []string{"operation", "status"}),
		verdicts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "verify_duration_seconds", Buckets: fast,
			Help: "Time to decide about a signed request, by scheme and result (allowed, denied: genuine but not let through, attempt: not genuine, failed).",
		}, []string{"scheme", "result"}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "decisions_total",
			Help: "Answers about signed requests, by result (as above) and reason (empty if allowed; if failed, why no verdict was given). One whose access record failed was not answered, and has failed.",
		}, []string{"result", "reason"}),
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "append_duration_seconds", Buckets: fast,
			Help: "Time to append to a stream (ledger, used), by result (written, conflict, unavailable, unknown, failed).",
		}, []string{"stream", "result"}),
	}
	m.envoy = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: "ext_authz_request_duration_seconds", Buckets: fast,
		Help: "Time to answer a call of Envoy's, by gRPC status and, if that is OK, by the HTTP status that Envoy was told (204: the request may go on).",
	}, []string{"code", "status"})
	m.revocation = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "revocation_propagation_seconds", Buckets: fast,
		Help: "Time from when a key was disabled, deleted or purged until this node refused it, by the clocks of the two nodes.",
	})
	m.readerEnds = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "event_reader_ends_total",
		Help: "Readers of events that were told an end, or could not begin, by its code.",
	}, []string{"code"})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with what is running.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.verdicts, m.decisions, m.appends, m.envoy, m.revocation, m.readerEnds, build, state{ask},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Known are the label values that are known before anything has happened.
type Known struct {
	Decisions  map[string][]string // the reasons of each result
	ReaderEnds []string            // codes
	ExtAuthz   [][2]string         // code and status
}

// Begin makes the series of what is known, at zero: a rate does not see the first event of a series that comes with it.
func (m *Metrics) Begin(k Known) {
	for result, reasons := range k.Decisions {
		for _, reason := range reasons {
			m.decisions.WithLabelValues(result, reason)
		}
	}
	for _, code := range k.ReaderEnds {
		m.readerEnds.WithLabelValues(code)
	}
	for _, c := range k.ExtAuthz {
		m.envoy.WithLabelValues(c[0], c[1])
	}
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}

// Request observes a request that was answered.
func (m *Metrics) Request(operation, status string, took time.Duration) {
	m.requests.WithLabelValues(operation, status).Observe(took.Seconds())
}

// Verdict observes how long it took to decide about a signed request.
func (m *Metrics) Verdict(scheme, result string, took time.Duration) {
	m.verdicts.WithLabelValues(scheme, result).Observe(took.Seconds())
}

// Decision observes what was answered about a signed request. The reason must be one of a closed set.
func (m *Metrics) Decision(result, reason string) { m.decisions.WithLabelValues(result, reason).Inc() }

// ExtAuthz observes a call of Envoy's that was answered: the gRPC status and, if that is
// OK, the HTTP status that Envoy was told.
func (m *Metrics) ExtAuthz(code, status string, took time.Duration) {
	m.envoy.WithLabelValues(code, status).Observe(took.Seconds())
}

// Revocation observes how long it took until a key that was revoked was refused.
func (m *Metrics) Revocation(took time.Duration) { m.revocation.Observe(max(0, took.Seconds())) }

// ReaderEnd observes why a reader of events gets no more. The code must be one of a closed set.
func (m *Metrics) ReaderEnd(code string) { m.readerEnds.WithLabelValues(code).Inc() }

// Append observes an append to a stream.
func (m *Metrics) Append(stream, result string, took time.Duration) {
	m.appends.WithLabelValues(stream, result).Observe(took.Seconds())
}
