package config

// The values of log.flush.
const (
	FlushCommit   = "commit"
	FlushInterval = "interval"
	FlushOS       = "os"
)

// ownKeys is the part of the table that Kafka does not have.
var ownKeys = []Key{
	{
		Name: "log.flush", Type: String, Default: new(FlushCommit), check: oneOf(FlushCommit, FlushInterval, FlushOS), Importance: High, Own: true,
		Doc: "When records reach the disk: commit answers acks=1 and acks=all after a sync shared by all that wait, interval syncs every log.flush.interval.ms, os leaves it to the operating system as Kafka does.",
	},
	{
		Name: "replication.factor.clamp", Type: Boolean, Default: new("false"), Importance: Medium, Own: true,
		Doc: "Lowers a replication factor above the number of brokers to that number instead of refusing it.",
	},
	{
		Name: "offsets.topic.ids.enable", Type: Boolean, Default: new("false"), Importance: Low, Own: true,
		Doc: "Advertises version 10 of OffsetCommit and OffsetFetch, which name topics by ID only. Some tools in the field fill in names there and fail.",
	},
}
