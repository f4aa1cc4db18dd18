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
	registry  *prometheus.Registry
	requests  *prometheus.HistogramVec
	verdicts  *prometheus.HistogramVec
	decisions *prometheus.CounterVec
	appends   *prometheus.HistogramVec
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
			Help: "Decisions about signed requests, by result and reason (empty if allowed).",
		}, []string{"result", "reason"}),
		appends: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "append_duration_seconds", Buckets: fast,
			Help: "Time to append to a stream (ledger, used), by result (written, conflict, unavailable, unknown, failed).",
		}, []string{"stream", "result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with what is running.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.verdicts, m.decisions, m.appends, build, state{ask},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}

// Request observes a request that was answered.
func (m *Metrics) Request(operation, status string, took time.Duration) {
	m.requests.WithLabelValues(operation, status).Observe(took.Seconds())
}

// Decision observes a decision about a signed request. The reason must be one of a closed set.
func (m *Metrics) Decision(scheme, result, reason string, took time.Duration) {
	m.verdicts.WithLabelValues(scheme, result).Observe(took.Seconds())
	m.decisions.WithLabelValues(result, reason).Inc()
}

// Append observes an append to a stream.
func (m *Metrics) Append(stream, result string, took time.Duration) {
	m.appends.WithLabelValues(stream, result).Observe(took.Seconds())
}
