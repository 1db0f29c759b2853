package deliveryprom

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/delivery"
)

// reading is a gauge that is read from a partition at a scrape.
type reading struct {
	name, help string
	of         func(s delivery.PartitionState, now time.Time) float64
}

func readings() []reading {
	return []reading{
		{"in_flight", "Handlers that run.", func(s delivery.PartitionState, _ time.Time) float64 { return float64(s.InFlight) }},
		{"queue_records", "Records fetched and not done.", func(s delivery.PartitionState, _ time.Time) float64 { return float64(s.Open) }},
		{"lag", "Records between the watermark and the end of the partition.", lag},
		{"watermark_age_seconds", "How long the oldest record not done has been held.", age},
	}
}

func lag(s delivery.PartitionState, _ time.Time) float64 {
	if s.Watermark < 0 {
		return 0
	}
	return float64(max(s.End-s.Watermark, 0))
}

func age(s delivery.PartitionState, now time.Time) float64 {
	if s.Stood.IsZero() {
		return 0
	}
	return max(now.Sub(s.Stood).Seconds(), 0)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func pausedDesc() *prometheus.Desc {
	return desc("paused", "Partitions that are paused.", "group", "reason")
}

// Describe implements prometheus.Collector.
func (*Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, r := range readings() {
		ch <- desc(r.name, r.help, "group", "topic", "partition")
	}
	ch <- pausedDesc()
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.mu.Lock()
	listeners := slices.Clone(m.listeners)
	m.mu.Unlock()
	paused := map[[2]string]float64{}
	for _, l := range listeners {
		now := l.Now()
		for _, s := range l.Snapshot() {
			for _, r := range readings() {
				ch <- prometheus.MustNewConstMetric(desc(r.name, r.help, "group", "topic", "partition"),
					prometheus.GaugeValue, r.of(s, now), l.Group(), s.Topic, strconv.Itoa(int(s.Partition)))
			}
			for _, reason := range s.Paused {
				paused[[2]string{l.Group(), reason}]++
			}
		}
	}
	for key, n := range paused {
		ch <- prometheus.MustNewConstMetric(pausedDesc(), prometheus.GaugeValue, n, key[0], key[1])
	}
}
