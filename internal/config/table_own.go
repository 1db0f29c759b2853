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
		Doc: "When records reach the disk: commit answers acks=1 and acks=all after a sync shared by all that wait, interval syncs every log.flush.interval.ms, os leaves it to the operating system as Kafka does.",
	},
	{
		Name: "record.validation", Type: String, Default: new(ValidateFull), check: oneOf(ValidateFull, ValidateFraming), Importance: Medium, NotInKafka: true,
		Doc: "How far compressed batches of producers are looked at: full unpacks them and checks each record, as Kafka does; framing saves that work for producers that are trusted: it looks at the header and at how the compressed data begins, and believes the header's maximum timestamp, by which retention and lookups by time go. Topics that are compacted or force a codec are unpacked in any case.",
	},
	{
		Name: "group.members.max.bytes", Type: Long, Default: new("268435456"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "Bytes that the members of all groups may have together: their names, metadata and assignments. Members that come beyond that are told that the coordinator is not available, and try again.",
	},
	{
		Name: "queued.max.response.bytes", Type: Long, Default: new("-1"), Importance: Medium, NotInKafka: true,
		Doc: "Bytes of answers that clients have not taken yet, on all connections, after which fetches wait and DescribeConfigs describes no further resources of a request. -1 is an eighth of the memory, but 64 MiB at least and 512 MiB at most.",
	},
	{
		Name: "socket.request.max.elements", Type: Int, Default: new("500000"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "The elements that all arrays of a request may have together: topics, partitions, members, entries. A request with more closes its connection before it is decoded.",
	},
	{
		Name: "socket.request.timeout.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "How long each MiB of a request may take to arrive once it has begun, beside the time it takes at 64 KiB per second; otherwise the connection is closed.",
	},
	{
		Name: "socket.stall.timeout.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, NotInKafka: true,
		Doc: "How long a client may take nothing of its answers, less than 64 KiB per second, or let them wait behind one that is not there yet, while more than half of queued.max.response.bytes is used and it holds some of that; otherwise the connection is closed. Else connections.max.idle.ms counts.",
	},
	{
		Name: "console.listeners", Type: List, check: anyOf(), Importance: Medium, NotInKafka: true,
		Doc: "Addresses for HTTP, each host:port, with /metrics, /livez, /readyz and, on loopback addresses only, /debug/pprof/. Unset is none; the usual port is 9080.",
	},
	{
		Name: "replication.factor.clamp", Type: Boolean, Default: new("false"), Importance: Medium, NotInKafka: true,
		Doc: "Lowers a replication factor above the number of brokers to that number instead of refusing it.",
	},
	{
		Name: "offsets.topic.ids.enable", Type: Boolean, Default: new("false"), Importance: Low, NotInKafka: true,
		Doc: "Advertises version 10 of OffsetCommit and OffsetFetch, which name topics by ID only. Some tools in the field fill in names there and fail.",
	},
}
