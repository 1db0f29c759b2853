package coordinator

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	loaded   prometheus.Gauge
	loads    prometheus.Histogram
	failures prometheus.Counter
}

// newMetrics registers the runtime's metrics, labelled with the coordinator's name.
// Without a registerer they are counted but not exposed.
func newMetrics(r prometheus.Registerer, name string) (*metrics, error) {
	labels := prometheus.Labels{"coordinator": name}
	m := &metrics{
		loaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "bote_coordinator_loaded_shards", Help: "Shards that are loaded.", ConstLabels: labels,
		}),
		loads: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bote_coordinator_load_seconds", Help: "Time to replay a shard.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 8),
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "bote_coordinator_shard_failures_total", Help: "Shards that were given up and loaded again.", ConstLabels: labels,
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.loaded, m.loads, m.failures} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
