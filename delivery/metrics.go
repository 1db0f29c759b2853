package delivery

import "time"

// Metrics receives the metrics of listeners. Its methods are called from many
// goroutines, some once per delivery, and must not block. Definitions lists the
// metrics. The present state of a listener (queues, running handlers, lag, pauses)
// is not among them; read it with Snapshot.
type Metrics interface {
	// Count adds n to a counter.
	Count(m Metric, t Tags, n int64)
	// Gauge sets a gauge.
	Gauge(m Metric, t Tags, v float64)
	// Time observes a duration.
	Time(m Metric, t Tags, d time.Duration)
}

// Tags are the labels of a metric. Value is the value of the extra label that the
// metric's Definition names.
type Tags struct {
	Group string
	Topic string
	Value string
}

// Metric is the name of a metric.
type Metric string

// The metrics.
const (
	MetricDeliveries      Metric = "deliveries_total"
	MetricDeliverySeconds Metric = "delivery_seconds"
	MetricRetries         Metric = "retries_total"
	MetricDeadLetters     Metric = "dead_letters_total"
	MetricSkipped         Metric = "skipped_total"
	MetricRetryDueLag     Metric = "retry_due_lag_seconds"
	MetricDLTOpen         Metric = "dlt_open"
	MetricCommits         Metric = "commits_total"
	MetricRebalances      Metric = "rebalances_total"
	MetricForeignRetry    Metric = "foreign_retry_total"
	MetricGarbageDue      Metric = "garbage_due_total"
	MetricOffsetReset     Metric = "offset_reset_total"
	MetricStuckHandlers   Metric = "stuck_handlers"
)

// MetricKind is how a metric behaves.
type MetricKind int

// The kinds.
const (
	Counter MetricKind = iota
	Gauge
	Histogram
)

// Definition describes a metric for an adapter. Label is the name of an extra
// label besides group and topic, "" if the metric has none.
type Definition struct {
	Metric Metric
	Kind   MetricKind
	Label  string
	Help   string
}

// Definitions are all metrics of this package.
func Definitions() []Definition {
	return []Definition{
		{MetricDeliveries, Counter, "result", "Deliveries by result."},
		{MetricDeliverySeconds, Histogram, "", "Time a handler took."},
		{MetricRetries, Counter, "tier", "Records sent to a retry topic."},
		{MetricDeadLetters, Counter, "class", "Records sent to a dead-letter topic."},
		{MetricSkipped, Counter, "class", "Records given up without a dead-letter topic."},
		{MetricRetryDueLag, Gauge, "", "How late the last retry was handled."},
		{MetricDLTOpen, Gauge, "", "Records in the dead-letter topics, when Lag was last asked."},
		{MetricCommits, Counter, "result", "Offset commits by result."},
		{MetricRebalances, Counter, "event", "Rebalance callbacks."},
		{MetricForeignRetry, Counter, "", "Retry records and dead letters of another group, skipped."},
		{MetricGarbageDue, Counter, "", "Retry records with a due time too far ahead."},
		{MetricOffsetReset, Counter, "", "Partitions whose position was out of range."},
		{MetricStuckHandlers, Gauge, "", "Handlers that run longer than they should."},
	}
}

type noMetrics struct{}

func (noMetrics) Count(Metric, Tags, int64)        {}
func (noMetrics) Gauge(Metric, Tags, float64)      {}
func (noMetrics) Time(Metric, Tags, time.Duration) {}

func (l *Listener) tags(topic string) Tags { return Tags{Group: l.group, Topic: topic} }
