package config

// The values of log.flush.
const (
	FlushCommit   = "commit"
	FlushInterval = "interval"
	FlushOS       = "os"
)

// The values of record.validation.
const (
	ValidateFull    = "full"
	ValidateFraming = "framing"
)

// ownKeys are the table's rows that Kafka does not have.
var ownKeys = []Key{
	{
		Name: "log.flush", Type: String, Default: new(FlushCommit), check: oneOf(FlushCommit, FlushInterval, FlushOS), Importance: High, NotInKafka: true,
		Doc: "When records reach the disk. commit: a produce request with acks=1 or acks=all is answered after its records are synced; all requests that wait share one sync. interval: records are synced every log.flush.interval.ms. os: the operating system decides, as with Kafka.",
	},
	{
		Name: "record.validation", Type: String, Default: new(ValidateFull), check: oneOf(ValidateFull, ValidateFraming), Importance: Medium, NotInKafka: true,
		Doc: "How compressed batches are checked. full: they are unpacked and each record is checked, as Kafka does. framing: only the batch header and the beginning of the compressed data are checked, which saves processor time if all producers are trusted. Retention and lookups by time then use the maximum timestamp of the header. Batches for topics that are compacted or have a compression.type of their own are always unpacked.",
	},
	{
		Name: "group.members.max.bytes", Type: Long, Default: new("268435456"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "Limit on the memory of the members of all groups together: names, metadata and assignments, in bytes. A member that joins above the limit gets COORDINATOR_NOT_AVAILABLE and tries again.",
	},
	{
		Name: "queued.max.response.bytes", Type: Long, Default: new("-1"), Importance: Medium, NotInKafka: true,
		Doc: "Limit on the answers that clients have not read yet, on all connections together, in bytes. Above it fetches wait, and DescribeConfigs leaves out the rest of a request. -1 means an eighth of the machine's memory, at least 64 MiB and at most 512 MiB.",
	},
	{
		Name: "socket.request.max.elements", Type: Int, Default: new("500000"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "Limit on the elements of all arrays of one request together: topics, partitions, members, configs. A request with more is not decoded, and its connection is closed.",
	},
	{
		Name: "socket.request.timeout.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "How long a request may take to arrive after its first byte: this time for each MiB of it, plus the time that the request takes at 64 KiB per second. After that the connection is closed.",
	},
	{
		Name: "socket.stall.timeout.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "How long a client may hold memory for answers while memory is short, that is, while more than half of queued.max.response.bytes is used. The connection is closed if the client reads nothing in that time, reads less than 64 KiB per second, or has finished answers blocked by an earlier request that waits. While memory is not short, only connections.max.idle.ms applies.",
	},
	{
		Name: "console.listeners", Type: List, check: anyOf(), Importance: Medium, NotInKafka: true,
		Doc: "Addresses for HTTP, each as host:port: /metrics, /livez, /readyz and, on loopback addresses only, /debug/pprof/. If it is not set there are none; the usual port is 9080.",
	},
	{
		Name: "replication.factor.clamp", Type: Boolean, Default: new("false"), Importance: Medium, NotInKafka: true,
		Doc: "Lowers a replication factor above the number of brokers to that number instead of refusing it.",
	},
	{
		Name: "offsets.topic.ids.enable", Type: Boolean, Default: new("false"), Importance: Low, NotInKafka: true,
		Doc: "Advertises version 10 of OffsetCommit and OffsetFetch, which name topics by ID only. Some widely used tools send names in that version and fail.",
	},
}
