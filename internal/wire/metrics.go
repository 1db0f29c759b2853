package wire

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type metrics struct {
	connections prometheus.Gauge
	refused     prometheus.Counter
	malformed   prometheus.Counter
	sent        prometheus.Counter
	byKey       *prometheus.CounterVec
	cache       [128]prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{Name: "bote_connections", Help: "Open client connections."}),
		refused:     prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_connections_refused_total", Help: "Connections closed because of a connection limit."}),
		malformed:   prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_malformed_frames_total", Help: "Frames that were no request and closed their connection."}),
		sent:        prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_sent_bytes_total", Help: "Bytes sent to clients."}),
		byKey:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "bote_requests_total", Help: "Requests by API."}, []string{"api"}),
	}
	for key := range m.cache {
		m.cache[key] = m.byKey.WithLabelValues(kmsg.NameForKey(int16(key)))
	}
	if r != nil {
		r.MustRegister(m.connections, m.refused, m.malformed, m.sent, m.byKey)
	}
	return m
}

func (m *metrics) requests(key int16) prometheus.Counter {
	return m.cache[uint8(key)%uint8(len(m.cache))]
}
