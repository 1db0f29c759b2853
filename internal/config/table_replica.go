package config

// replicaKeys are the table's rows about replication and tiered storage.
var replicaKeys = []Key{
	{
		Name: "alter.log.dirs.replication.quota.window.num", Type: Int, Default: new("11"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Samples kept for the quota on moves between directories.",
	},
	{
		Name: "alter.log.dirs.replication.quota.window.size.seconds", Type: Int, Default: new("1"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Length of one sample of that quota.",
	},
	{
		Name: "num.replica.fetchers", Type: Int, Default: new("1"), check: atLeast(1), Importance: High, Update: ClusterWide, Ignored: true,
		Doc: "Threads that fetch from each other broker.",
	},
	{
		Name: "remote.fetch.max.wait.ms", Type: Int, Default: new("500"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Longest wait for a remote read.",
	},
	{
		Name: "remote.list.offsets.request.timeout.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Time-out of a remote offset look-up.",
	},
	{
		Name: "remote.log.index.file.cache.total.size.bytes", Type: Long, Default: new("1073741824"), check: atLeast(1), Importance: Low, Update: ClusterWide, Ignored: true,
		Doc: "Space for cached index files of remote segments.",
	},
	{
		Name: "remote.log.manager.copier.thread.pool.size", Type: Int, Default: new("10"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Threads that copy segments to remote storage.",
	},
	{
		Name: "remote.log.manager.copy.max.bytes.per.second", Type: Long, Default: new("9223372036854775807"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Bytes per second copied to remote storage.",
	},
	{
		Name: "remote.log.manager.copy.quota.window.num", Type: Int, Default: new("11"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Samples kept for the remote copy quota.",
	},
	{
		Name: "remote.log.manager.copy.quota.window.size.seconds", Type: Int, Default: new("1"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Length of one remote copy quota sample.",
	},
	{
		Name: "remote.log.manager.expiration.thread.pool.size", Type: Int, Default: new("10"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Threads that delete expired remote segments.",
	},
	{
		Name: "remote.log.manager.fetch.max.bytes.per.second", Type: Long, Default: new("9223372036854775807"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Bytes per second read from remote storage.",
	},
	{
		Name: "remote.log.manager.fetch.quota.window.num", Type: Int, Default: new("11"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Samples kept for the remote fetch quota.",
	},
	{
		Name: "remote.log.manager.fetch.quota.window.size.seconds", Type: Int, Default: new("1"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Length of one remote fetch quota sample.",
	},
	{
		Name: "remote.log.manager.follower.thread.pool.size", Type: Int, Default: new("2"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Threads that serve remote state to followers.",
	},
	{
		Name: "remote.log.manager.task.interval.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "How often remote log tasks run.",
	},
	{
		Name: "remote.log.manager.thread.pool.size", Type: Int, Default: new("2"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Threads of the remote log manager.",
	},
	{
		Name: "remote.log.metadata.custom.metadata.max.bytes", Type: Int, Default: new("128"), check: atLeast(0), Importance: Low, Ignored: true,
		Doc: "Largest custom metadata of a remote segment.",
	},
	{
		Name: "remote.log.metadata.manager.class.name", Type: String, Default: new("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"), check: nonEmpty, Importance: Medium, Ignored: true,
		Doc: "Class that keeps the metadata of remote segments.",
	},
	{
		Name: "remote.log.metadata.manager.class.path", Type: String, Importance: Medium, Ignored: true,
		Doc: "Where that class is found.",
	},
	{
		Name: "remote.log.metadata.manager.impl.prefix", Type: String, Default: new("rlmm.config."), check: nonEmpty, Importance: Medium, Ignored: true,
		Doc: "Prefix of that class's own settings.",
	},
	{
		Name: "remote.log.metadata.manager.listener.name", Type: String, check: nonEmpty, Importance: Medium, Ignored: true,
		Doc: "Listener that class uses.",
	},
	{
		Name: "remote.log.reader.max.pending.tasks", Type: Int, Default: new("100"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Remote reads that may wait.",
	},
	{
		Name: "remote.log.reader.threads", Type: Int, Default: new("10"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Threads that read from remote storage.",
	},
	{
		Name: "remote.log.storage.manager.class.name", Type: String, check: nonEmpty, Importance: Medium, Ignored: true,
		Doc: "Class that stores remote segments.",
	},
	{
		Name: "remote.log.storage.manager.class.path", Type: String, Importance: Medium, Ignored: true,
		Doc: "Where that class is found.",
	},
	{
		Name: "remote.log.storage.manager.impl.prefix", Type: String, Default: new("rsm.config."), check: nonEmpty, Importance: Medium, Ignored: true,
		Doc: "Prefix of that class's own settings.",
	},
	{
		Name: "remote.log.storage.system.enable", Type: Boolean, Default: new("false"), Importance: Medium, Ignored: true,
		Doc: "Turns tiered storage on for the broker.",
	},
	{
		Name: "replica.fetch.backoff.ms", Type: Int, Default: new("1000"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Pause after a failed replica fetch.",
	},
	{
		Name: "replica.fetch.max.bytes", Type: Int, Default: new("1048576"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Bytes asked per partition in a replica fetch.",
	},
	{
		Name: "replica.fetch.min.bytes", Type: Int, Default: new("1"), Importance: High, Ignored: true,
		Doc: "Bytes a replica fetch waits for.",
	},
	{
		Name: "replica.fetch.response.max.bytes", Type: Int, Default: new("10485760"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Bytes asked in all in a replica fetch.",
	},
	{
		Name: "replica.fetch.wait.max.ms", Type: Int, Default: new("500"), Importance: High, Ignored: true,
		Doc: "Longest wait of a replica fetch.",
	},
	{
		Name: "replica.high.watermark.checkpoint.interval.ms", Type: Long, Default: new("5000"), Importance: High, Ignored: true,
		Doc: "How often high watermarks are written down.",
	},
	{
		Name: "replica.lag.time.max.ms", Type: Long, Default: new("30000"), Importance: High, Ignored: true,
		Doc: "Time a follower may lag before it leaves the in-sync set.",
	},
	{
		Name: "replica.selector.class", Type: String, Importance: Medium, Ignored: true,
		Doc: "Class that chooses which replica a consumer reads from.",
	},
	{
		Name: "replica.socket.receive.buffer.bytes", Type: Int, Default: new("65536"), Importance: High, Ignored: true,
		Doc: "Receive buffer of replica fetches.",
	},
	{
		Name: "replica.socket.timeout.ms", Type: Int, Default: new("30000"), Importance: High, Ignored: true,
		Doc: "Socket time-out of replica fetches.",
	},
	{
		Name: "replication.quota.window.num", Type: Int, Default: new("11"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Samples kept for replication quotas.",
	},
	{
		Name: "replication.quota.window.size.seconds", Type: Int, Default: new("1"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Length of one replication quota sample.",
	},
}
