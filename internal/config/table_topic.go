package config

// topicKeys are the table's rows for topics.
var topicKeys = []Key{
	{
		Name: "cleanup.policy", Type: List, Default: new("delete"), check: anyOf("compact", "delete"), Importance: Medium, Update: ClusterWide, Server: "log.cleanup.policy",
		Doc: "What happens to old segments: delete drops them by age and size, compact keeps the last record of each key, both may be named, an empty list keeps everything.",
	},
	{
		Name: "compression.gzip.level", Type: Int, Default: new("-1"), check: gzipLevel, Importance: Medium, Update: ClusterWide, Server: "compression.gzip.level",
		Doc: "Level used when the broker itself compresses with gzip; -1 is the library's default.",
	},
	{
		Name: "compression.lz4.level", Type: Int, Default: new("9"), check: between(1, 17), Importance: Medium, Update: ClusterWide, Server: "compression.lz4.level",
		Doc: "Level used when the broker itself compresses with lz4.",
	},
	{
		Name: "compression.type", Type: String, Default: new("producer"), check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), Importance: Medium, Update: ClusterWide, Server: "compression.type",
		Doc: "Codec of stored batches; producer keeps what the producer sent, uncompressed stores plain batches.",
	},
	{
		Name: "compression.zstd.level", Type: Int, Default: new("3"), check: between(-131072, 22), Importance: Medium, Update: ClusterWide, Server: "compression.zstd.level",
		Doc: "Level used when the broker itself compresses with zstd.",
	},
	{
		Name: "delete.retention.ms", Type: Long, Default: new("86400000"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.cleaner.delete.retention.ms", Ignored: true,
		Doc: "How long a tombstone stays readable in a compacted topic after it was cleaned.",
	},
	{
		Name: "file.delete.delay.ms", Type: Long, Default: new("60000"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.segment.delete.delay.ms",
		Doc: "How long a removed segment's files stay on disk, so that readers can finish.",
	},
	{
		Name: "flush.messages", Type: Long, Default: new("9223372036854775807"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Server: "log.flush.interval.messages",
		Doc: "Number of records after which the log is synced to disk.",
	},
	{
		Name: "flush.ms", Type: Long, Default: new("9223372036854775807"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.flush.interval.ms",
		Doc: "Longest time in milliseconds a record may wait before the log is synced to disk.",
	},
	{
		Name: "follower.replication.throttled.replicas", Type: List, Default: new(""), check: throttledReplicas, Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Replicas whose catch-up traffic is throttled on the follower side.",
	},
	{
		Name: "index.interval.bytes", Type: Int, Default: new("4096"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.index.interval.bytes",
		Doc: "Bytes of log between two entries of the offset index.",
	},
	{
		Name: "leader.replication.throttled.replicas", Type: List, Default: new(""), check: throttledReplicas, Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Replicas whose catch-up traffic is throttled on the leader side.",
	},
	{
		Name: "local.retention.bytes", Type: Long, Default: new("-2"), check: atLeast(-2), Importance: Medium, Update: ClusterWide, Server: "log.local.retention.bytes", Ignored: true,
		Doc: "Bytes kept locally of a tiered topic; -2 means the same as retention.bytes.",
	},
	{
		Name: "local.retention.ms", Type: Long, Default: new("-2"), check: atLeast(-2), Importance: Medium, Update: ClusterWide, Server: "log.local.retention.ms", Ignored: true,
		Doc: "Time records of a tiered topic stay local; -2 means the same as retention.ms.",
	},
	{
		Name: "max.compaction.lag.ms", Type: Long, Default: new("9223372036854775807"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Server: "log.cleaner.max.compaction.lag.ms", Ignored: true,
		Doc: "Longest time a record may stay uncompacted in a compacted topic.",
	},
	{
		Name: "max.message.bytes", Type: Int, Default: new("1048588"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "message.max.bytes",
		Doc: "Largest record batch accepted, after compression.",
	},
	{
		Name: "message.timestamp.after.max.ms", Type: Long, Default: new("3600000"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.message.timestamp.after.max.ms",
		Doc: "How far a record's timestamp may lie in the broker's future; ignored with LogAppendTime.",
	},
	{
		Name: "message.timestamp.before.max.ms", Type: Long, Default: new("9223372036854775807"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.message.timestamp.before.max.ms",
		Doc: "How far a record's timestamp may lie in the broker's past; ignored with LogAppendTime.",
	},
	{
		Name: "message.timestamp.type", Type: String, Default: new("CreateTime"), check: oneOf("CreateTime", "LogAppendTime"), Importance: Medium, Update: ClusterWide, Server: "log.message.timestamp.type",
		Doc: "Whose clock stamps the records: CreateTime keeps the producer's, LogAppendTime writes the broker's.",
	},
	{
		Name: "min.cleanable.dirty.ratio", Type: Double, Default: new("0.5"), check: between(0, 1), Importance: Medium, Update: ClusterWide, Server: "log.cleaner.min.cleanable.ratio", Ignored: true,
		Doc: "Share of uncleaned bytes at which a compacted log becomes worth cleaning.",
	},
	{
		Name: "min.compaction.lag.ms", Type: Long, Default: new("0"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.cleaner.min.compaction.lag.ms", Ignored: true,
		Doc: "Time a record is left alone before compaction may drop it.",
	},
	{
		Name: "min.insync.replicas", Type: Int, Default: new("1"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Server: "min.insync.replicas",
		Doc: "Replicas that must have a record before acks=all is answered. With one replica a higher value counts as 1.",
	},
	{
		Name: "preallocate", Type: Boolean, Default: new("false"), Importance: Medium, Update: ClusterWide, Server: "log.preallocate", Ignored: true,
		Doc: "Whether a new segment file gets its full size at once.",
	},
	{
		Name: "remote.log.copy.disable", Type: Boolean, Default: new("false"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Stops the copying of a tiered topic's segments to remote storage.",
	},
	{
		Name: "remote.log.delete.on.disable", Type: Boolean, Default: new("false"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Deletes a tiered topic's remote segments when tiering is switched off.",
	},
	{
		Name: "remote.storage.enable", Type: Boolean, Default: new("false"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Turns tiered storage on for the topic; true is refused.",
	},
	{
		Name: "retention.bytes", Type: Long, Default: new("-1"), Importance: Medium, Update: ClusterWide, Server: "log.retention.bytes",
		Doc: "Size at which a partition's oldest segments are deleted; -1 is no limit.",
	},
	{
		Name: "retention.ms", Type: Long, Default: new("604800000"), check: atLeast(-1), Importance: Medium, Update: ClusterWide, Server: "log.retention.ms",
		Doc: "Age in milliseconds at which segments are deleted; -1 keeps them for ever.",
	},
	{
		Name: "segment.bytes", Type: Int, Default: new("1073741824"), check: atLeast(1048576), Importance: Medium, Update: ClusterWide, Server: "log.segment.bytes",
		Doc: "Size at which a segment is closed and a new one begun.",
	},
	{
		Name: "segment.index.bytes", Type: Int, Default: new("10485760"), check: atLeast(4), Importance: Medium, Update: ClusterWide, Server: "log.index.size.max.bytes",
		Doc: "Largest size of a segment's offset index.",
	},
	{
		Name: "segment.jitter.ms", Type: Long, Default: new("0"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Server: "log.roll.jitter.ms",
		Doc: "Random time taken off segment.ms, so that not all partitions roll at once.",
	},
	{
		Name: "segment.ms", Type: Long, Default: new("604800000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Server: "log.roll.ms",
		Doc: "Age at which a segment is closed even if it is not full.",
	},
	{
		Name: "unclean.leader.election.enable", Type: Boolean, Default: new("false"), Importance: Medium, Update: ClusterWide, Server: "unclean.leader.election.enable", Ignored: true,
		Doc: "Allows a replica that is not in sync to lead; there is never one with a single replica.",
	},
}
