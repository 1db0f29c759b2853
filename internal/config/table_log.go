package config

// logKeys are the table's rows about the log and the defaults of topics.
var logKeys = []Key{
	{
		Name: "compression.gzip.level", Type: Int, Default: new("-1"), check: gzipLevel, Importance: Medium, Update: ClusterWide,
		Doc: "Default gzip level of topics.",
	},
	{
		Name: "compression.lz4.level", Type: Int, Default: new("9"), check: between(1, 17), Importance: Medium, Update: ClusterWide,
		Doc: "Default lz4 level of topics.",
	},
	{
		Name: "compression.type", Type: String, Default: new("producer"), check: oneOf("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"), Importance: High, Update: ClusterWide,
		Doc: "Default codec of stored batches; producer keeps what was sent.",
	},
	{
		Name: "compression.zstd.level", Type: Int, Default: new("3"), check: between(-131072, 22), Importance: Medium, Update: ClusterWide,
		Doc: "Default zstd level of topics.",
	},
	{
		Name: "log.cleaner.backoff.ms", Type: Long, Default: new("15000"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Pause of the cleaner when nothing needs cleaning.",
	},
	{
		Name: "log.cleaner.dedupe.buffer.size", Type: Long, Default: new("134217728"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Memory for the offset maps of all cleaner threads.",
	},
	{
		Name: "log.cleaner.delete.retention.ms", Type: Long, Default: new("86400000"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of delete.retention.ms.",
	},
	{
		Name: "log.cleaner.enable", Type: Boolean, Default: new("true"), Importance: Medium, Ignored: true,
		Doc: "Whether compacted topics are compacted.",
	},
	{
		Name: "log.cleaner.io.buffer.load.factor", Type: Double, Default: new("0.9"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "How full the cleaner's offset map may get.",
	},
	{
		Name: "log.cleaner.io.buffer.size", Type: Int, Default: new("524288"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Read and write buffers of the cleaner.",
	},
	{
		Name: "log.cleaner.io.max.bytes.per.second", Type: Double, Default: new("1.7976931348623157E308"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Bytes per second the cleaner reads and writes.",
	},
	{
		Name: "log.cleaner.max.compaction.lag.ms", Type: Long, Default: new("9223372036854775807"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of max.compaction.lag.ms.",
	},
	{
		Name: "log.cleaner.min.cleanable.ratio", Type: Double, Default: new("0.5"), check: between(0, 1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of min.cleanable.dirty.ratio.",
	},
	{
		Name: "log.cleaner.min.compaction.lag.ms", Type: Long, Default: new("0"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of min.compaction.lag.ms.",
	},
	{
		Name: "log.cleaner.threads", Type: Int, Default: new("1"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Cleaner threads.",
	},
	{
		Name: "log.cleanup.policy", Type: List, Default: new("delete"), check: anyOf("compact", "delete"), Importance: Medium, Update: ClusterWide,
		Doc: "Default of cleanup.policy.",
	},
	{
		Name: "log.dir", Type: List, Default: new("/tmp/kafka-logs"), check: someOf(), Importance: High,
		Doc: "The one data directory, used when log.dirs is not set.",
	},
	{
		Name: "log.dirs", Type: List, check: someOf(), Importance: High,
		Doc: "The data directories.",
	},
	{
		Name: "log.flush.interval.messages", Type: Long, Default: new("9223372036854775807"), check: atLeast(1), Importance: High, Update: ClusterWide,
		Doc: "Default of flush.messages.",
	},
	{
		Name: "log.flush.interval.ms", Type: Long, Importance: High, Update: ClusterWide,
		Doc: "Default of flush.ms, and the period of log.flush=interval; log.flush.scheduler.interval.ms when unset.",
	},
	{
		Name: "log.flush.offset.checkpoint.interval.ms", Type: Int, Default: new("60000"), check: atLeast(0), Importance: High,
		Doc: "How often recovery points are written down.",
	},
	{
		Name: "log.flush.scheduler.interval.ms", Type: Long, Default: new("9223372036854775807"), Importance: High,
		Doc: "How often logs are looked at for an overdue sync.",
	},
	{
		Name: "log.flush.start.offset.checkpoint.interval.ms", Type: Int, Default: new("60000"), check: atLeast(0), Importance: High, Ignored: true,
		Doc: "How often log start offsets are written down.",
	},
	{
		Name: "log.index.interval.bytes", Type: Int, Default: new("4096"), check: atLeast(0), Importance: Medium, Update: ClusterWide,
		Doc: "Default of index.interval.bytes.",
	},
	{
		Name: "log.index.size.max.bytes", Type: Int, Default: new("10485760"), check: atLeast(4), Importance: Medium, Update: ClusterWide,
		Doc: "Default of segment.index.bytes.",
	},
	{
		Name: "log.local.retention.bytes", Type: Long, Default: new("-2"), check: atLeast(-2), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of local.retention.bytes.",
	},
	{
		Name: "log.local.retention.ms", Type: Long, Default: new("-2"), check: atLeast(-2), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of local.retention.ms.",
	},
	{
		Name: "log.message.timestamp.after.max.ms", Type: Long, Default: new("3600000"), check: atLeast(0), Importance: Medium, Update: ClusterWide,
		Doc: "Default of message.timestamp.after.max.ms.",
	},
	{
		Name: "log.message.timestamp.before.max.ms", Type: Long, Default: new("9223372036854775807"), check: atLeast(0), Importance: Medium, Update: ClusterWide,
		Doc: "Default of message.timestamp.before.max.ms.",
	},
	{
		Name: "log.message.timestamp.type", Type: String, Default: new("CreateTime"), check: oneOf("CreateTime", "LogAppendTime"), Importance: Medium, Update: ClusterWide,
		Doc: "Default of message.timestamp.type.",
	},
	{
		Name: "log.preallocate", Type: Boolean, Default: new("false"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Default of preallocate.",
	},
	{
		Name: "log.retention.bytes", Type: Long, Default: new("-1"), Importance: High, Update: ClusterWide,
		Doc: "Default of retention.bytes, per partition.",
	},
	{
		Name: "log.retention.check.interval.ms", Type: Long, Default: new("300000"), check: atLeast(1), Importance: Medium,
		Doc: "How often segments are checked for deletion.",
	},
	{
		Name: "log.retention.hours", Type: Int, Default: new("168"), Importance: High,
		Doc: "Default of retention.ms in hours, used when neither the minutes nor the milliseconds are set.",
	},
	{
		Name: "log.retention.minutes", Type: Int, Importance: High,
		Doc: "Default of retention.ms in minutes; wins over the hours.",
	},
	{
		Name: "log.retention.ms", Type: Long, Importance: High, Update: ClusterWide,
		Doc: "Default of retention.ms; wins over minutes and hours.",
	},
	{
		Name: "log.roll.hours", Type: Int, Default: new("168"), check: atLeast(1), Importance: High,
		Doc: "Default of segment.ms in hours, used when log.roll.ms is not set.",
	},
	{
		Name: "log.roll.jitter.hours", Type: Int, Default: new("0"), check: atLeast(0), Importance: High,
		Doc: "Default of segment.jitter.ms in hours, used when log.roll.jitter.ms is not set.",
	},
	{
		Name: "log.roll.jitter.ms", Type: Long, Importance: High, Update: ClusterWide,
		Doc: "Default of segment.jitter.ms; wins over the hours.",
	},
	{
		Name: "log.roll.ms", Type: Long, Importance: High, Update: ClusterWide,
		Doc: "Default of segment.ms; wins over the hours.",
	},
	{
		Name: "log.segment.bytes", Type: Int, Default: new("1073741824"), check: atLeast(1048576), Importance: High, Update: ClusterWide,
		Doc: "Default of segment.bytes.",
	},
	{
		Name: "log.segment.delete.delay.ms", Type: Long, Default: new("60000"), check: atLeast(0), Importance: High, Update: ClusterWide,
		Doc: "Default of file.delete.delay.ms.",
	},
	{
		Name: "message.max.bytes", Type: Int, Default: new("1048588"), check: atLeast(0), Importance: High, Update: ClusterWide,
		Doc: "Largest record batch accepted, after compression; default of max.message.bytes.",
	},
	{
		Name: "min.insync.replicas", Type: Int, Default: new("1"), check: atLeast(1), Importance: High, Update: ClusterWide,
		Doc: "Default of the topic config of this name.",
	},
	{
		Name: "num.partitions", Type: Int, Default: new("1"), check: atLeast(1), Importance: Medium,
		Doc: "Partitions of topics created without a number.",
	},
	{
		Name: "num.recovery.threads.per.data.dir", Type: Int, Default: new("2"), check: atLeast(1), Importance: High, Update: ClusterWide, Ignored: true, MetBy: "1",
		Doc: "Threads that read logs at start, per directory.",
	},
	{
		Name: "producer.id.expiration.ms", Type: Int, Default: new("86400000"), check: atLeast(1), Importance: Low, Update: ClusterWide,
		Doc: "Time after which an idle producer's sequence numbers are forgotten.",
	},
}
