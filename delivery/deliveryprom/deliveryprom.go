// Package deliveryprom gives the metrics of package delivery to Prometheus.
// New returns a delivery.Metrics that registers all of them. Watch adds the state
// of listeners at the moment of a scrape: queues, running handlers, lag.
package deliveryprom

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/delivery"
)

// namespace is put before the names of all metrics.
const namespace = "bote_delivery"

// Metrics is a delivery.Metrics that is also a Prometheus collector of the
// listeners it watches. It is safe for concurrent use.
type Metrics struct {
	counters   map[delivery.Metric]*prometheus.CounterVec
	gauges     map[delivery.Metric]*prometheus.GaugeVec
	histograms map[delivery.Metric]*prometheus.HistogramVec
	labelled   map[delivery.Metric]bool

	mu        sync.Mutex
	listeners []*delivery.Listener
}

// New registers the metrics of package delivery. It returns the error of the
// Registerer if they are registered already.
func New(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		counters:   map[delivery.Metric]*prometheus.CounterVec{},
		gauges:     map[delivery.Metric]*prometheus.GaugeVec{},
		histograms: map[delivery.Metric]*prometheus.HistogramVec{},
		labelled:   map[delivery.Metric]bool{},
	}
	for _, d := range delivery.Definitions() {
		if err := reg.Register(m.collector(d)); err != nil {
			return nil, err
		}
	}
	return m, reg.Register(m)
}

func (m *Metrics) collector(d delivery.Definition) prometheus.Collector {
	labels := []string{"group", "topic"}
	if d.Label != "" {
		labels = append(labels, d.Label)
		m.labelled[d.Metric] = true
	}
	switch d.Kind {
	case delivery.Counter:
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: string(d.Metric), Help: d.Help}, labels)
		m.counters[d.Metric] = v
		return v
	case delivery.Histogram:
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: string(d.Metric), Help: d.Help,
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9), // 1 ms to 65 s.
		}, labels)
		m.histograms[d.Metric] = v
		return v
	case delivery.Gauge:
	}
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: string(d.Metric), Help: d.Help}, labels)
	m.gauges[d.Metric] = v
	return v
}

func (m *Metrics) values(name delivery.Metric, t delivery.Tags) []string {
	if m.labelled[name] {
		return []string{t.Group, t.Topic, t.Value}
	}
	return []string{t.Group, t.Topic}
}

// Count implements delivery.Metrics.
func (m *Metrics) Count(name delivery.Metric, t delivery.Tags, n int64) {
	if v := m.counters[name]; v != nil {
		v.WithLabelValues(m.values(name, t)...).Add(float64(n))
	}
}

// Gauge implements delivery.Metrics.
func (m *Metrics) Gauge(name delivery.Metric, t delivery.Tags, value float64) {
	if v := m.gauges[name]; v != nil {
		v.WithLabelValues(m.values(name, t)...).Set(value)
	}
}

// Time implements delivery.Metrics.
func (m *Metrics) Time(name delivery.Metric, t delivery.Tags, d time.Duration) {
	if v := m.histograms[name]; v != nil {
		v.WithLabelValues(m.values(name, t)...).Observe(d.Seconds())
	}
}

// Watch adds listeners to what a scrape reads. A listener that has stopped stays,
// but has no partitions.
func (m *Metrics) Watch(ls ...*delivery.Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listeners = append(m.listeners, ls...)
}
