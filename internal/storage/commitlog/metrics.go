package commitlog

import "github.com/prometheus/client_golang/prometheus"

// metrics are a store's metrics.
type metrics struct {
	syncSeconds prometheus.Histogram
	rounds      *prometheus.CounterVec
	rolls       prometheus.Counter
	failedLogs  prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		syncSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "bote_log_sync_seconds", Help: "Time to make appended bytes durable, of one log or of a volume.",
			Buckets: prometheus.ExponentialBuckets(0.00005, 2, 16),
		}),
		rounds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bote_log_flush_rounds_total", Help: "Rounds that made logs durable, file by file or by a sync of the volume.",
		}, []string{"by"}),
		rolls:      prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_log_segments_rolled_total", Help: "Segments that were completed and followed by a new one."}),
		failedLogs: prometheus.NewGauge(prometheus.GaugeOpts{Name: "bote_log_failed_logs", Help: "Logs whose disk failed them and that take no more batches."}),
	}
	if r != nil {
		r.MustRegister(m.syncSeconds, m.rounds, m.rolls, m.failedLogs)
	}
	return m
}
