package group

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	groups     prometheus.Gauge
	members    prometheus.Gauge
	rebalances prometheus.Counter
	expired    *prometheus.CounterVec
}

// newMetrics registers the coordinator's metrics. Without a registerer they are counted
// but not exposed.
func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		groups:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "bote_group_groups", Help: "Classic groups in loaded shards."}),
		members:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "bote_group_members", Help: "Members of classic groups in loaded shards."}),
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{Name: "bote_group_rebalances_total", Help: "Rebalances that were started."}),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bote_group_expired_total", Help: "Members and offsets removed because of their age.",
		}, []string{"what"}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.groups, m.members, m.rebalances, m.expired} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
