package wire

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type metrics struct {
	connections prometheus.Gauge
	inFlight    prometheus.Gauge
	refused     prometheus.Counter
	unaccepted  prometheus.Counter
	malformed   prometheus.Counter
	late        prometheus.Counter
	stalled     prometheus.Counter
	sent        prometheus.Counter
	received    prometheus.Counter
	waits       *prometheus.CounterVec
	waited      *prometheus.CounterVec
	requests    *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	cache       [128]atomic.Pointer[apiMetrics]
}

// apiMetrics are the metrics of one API.
type apiMetrics struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

var durationBuckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func newMetrics() *metrics {
	return &metrics{
		connections: gauge("bote_connections", "Open client connections."),
		inFlight:    gauge("bote_requests_in_flight", "Requests that were read and are not answered yet."),
		refused:     counter("bote_connections_refused_total", "Connections closed because of a connection limit."),
		unaccepted:  counter("bote_accept_errors_total", "Connections that could not be accepted, for example for lack of file descriptors."),
		malformed:   counter("bote_malformed_frames_total", "Frames that were no request and closed their connection."),
		late:        counter("bote_late_frames_total", "Requests that began, did not arrive in time and closed their connection."),
		stalled:     counter("bote_slow_clients_closed_total", "Connections closed because the client did not take its answers."),
		sent:        counter("bote_sent_bytes_total", "Bytes sent to clients."),
		received:    counter("bote_received_bytes_total", "Bytes of requests received from clients."),
		waits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bote_memory_waits_total", Help: "Requests that waited because the memory for their kind was used up.",
		}, []string{"kind"}),
		waited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bote_memory_wait_seconds_total", Help: "Time that requests waited because the memory for their kind was used up.",
		}, []string{"kind"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bote_requests_total", Help: "Requests by API."}, []string{"api"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bote_request_duration_seconds", Help: "Time from the arrival of a request until its answer is ready, waits that the client asked for included.",
			Buckets: durationBuckets,
		}, []string{"api"}),
	}
}

// register registers the server's metrics and those of its budgets; r may be nil.
func (s *Server) register(r prometheus.Registerer) {
	m := s.metrics
	if r == nil {
		return
	}
	r.MustRegister(m.connections, m.inFlight, m.refused, m.unaccepted, m.malformed, m.late, m.stalled, m.sent, m.received,
		m.waits, m.waited, m.requests, m.duration)
	for kind, b := range map[string]*budget{"records": &s.records, "other": &s.others, "answers": &s.answers} {
		labels := prometheus.Labels{"kind": kind}
		r.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "bote_memory_used_bytes", Help: "Memory held by requests in progress and by answers that have not left, by kind.", ConstLabels: labels,
			}, func() float64 { return float64(b.used.Load()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "bote_memory_limit_bytes", Help: "Memory of a kind from which on requests wait.", ConstLabels: labels,
			}, func() float64 { return float64(b.limit) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "bote_memory_waiting_requests", Help: "Requests that wait for memory, by kind.", ConstLabels: labels,
			}, func() float64 { return float64(b.waiting.Load()) }),
		)
	}
}

// of returns the metrics of a served API; they are created at its first request.
func (m *metrics) of(key int16) *apiMetrics {
	at := &m.cache[uint8(key)%uint8(len(m.cache))]
	if a := at.Load(); a != nil {
		return a
	}
	name := kmsg.NameForKey(key)
	a := &apiMetrics{requests: m.requests.WithLabelValues(name), duration: m.duration.WithLabelValues(name)}
	at.Store(a)
	return a
}

// finished records that a request is answered.
func (m *metrics) finished(key int16, began time.Time) {
	m.inFlight.Dec()
	m.of(key).duration.Observe(time.Since(began).Seconds())
}
