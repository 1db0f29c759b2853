package config

// coordinatorKeys are the table's rows about groups, offsets, share groups and transactions.
var coordinatorKeys = []Key{
	{
		Name: "add.partitions.to.txn.retry.backoff.max.ms", Type: Int, Default: new("100"), check: atLeast(0), Importance: High, Ignored: true,
		Doc: "Longest time a partition is verified for a transaction before the client is told to retry.",
	},
	{
		Name: "add.partitions.to.txn.retry.backoff.ms", Type: Int, Default: new("20"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Pause between two verifications of a partition for a transaction.",
	},
	{
		Name: "group.consumer.assignors", Type: List, Default: new("uniform,range"), check: someOf(), Importance: Medium, Ignored: true,
		Doc: "Server-side assignors of consumer-protocol groups, the first is the default.",
	},
	{
		Name: "group.consumer.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Heartbeat interval given to members of consumer-protocol groups.",
	},
	{
		Name: "group.consumer.max.heartbeat.interval.ms", Type: Int, Default: new("15000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Largest heartbeat interval a group may set for itself.",
	},
	{
		Name: "group.consumer.max.session.timeout.ms", Type: Int, Default: new("60000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Largest session time-out a consumer-protocol group may set for itself.",
	},
	{
		Name: "group.consumer.max.size", Type: Int, Default: new("2147483647"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Most members of a consumer-protocol group.",
	},
	{
		Name: "group.consumer.migration.policy", Type: String, Default: new("bidirectional"), check: oneOfFold("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"), Importance: Medium, Ignored: true,
		Doc: "Which way a group may change between the classic and the consumer protocol: upgrade, downgrade, bidirectional or disabled.",
	},
	{
		Name: "group.consumer.min.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Smallest heartbeat interval a group may set for itself.",
	},
	{
		Name: "group.consumer.min.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Smallest session time-out a consumer-protocol group may set for itself.",
	},
	{
		Name: "group.consumer.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Time without heartbeat after which a member of a consumer-protocol group is removed.",
	},
	{
		Name: "group.coordinator.append.linger.ms", Type: Int, Default: new("-1"), check: atLeast(-1), Importance: Medium, Ignored: true,
		Doc: "How long the coordinator gathers records before writing them; -1 adapts.",
	},
	{
		Name: "group.coordinator.rebalance.protocols", Type: List, Default: new("classic,consumer,streams"), check: someOf("consumer", "classic", "share", "streams"), Importance: Medium, Ignored: true,
		Doc: "Group protocols the coordinator serves.",
	},
	{
		Name: "group.coordinator.threads", Type: Int, Default: new("4"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Coordinator threads.",
	},
	{
		Name: "group.initial.rebalance.delay.ms", Type: Int, Default: new("3000"), Importance: Medium,
		Doc: "How long a new classic group waits for more members before its first rebalance.",
	},
	{
		Name: "group.max.session.timeout.ms", Type: Int, Default: new("1800000"), Importance: Medium,
		Doc: "Largest session time-out a classic member may ask for.",
	},
	{
		Name: "group.max.size", Type: Int, Default: new("2147483647"), check: atLeast(1), Importance: Medium,
		Doc: "Most members of a classic group.",
	},
	{
		Name: "group.min.session.timeout.ms", Type: Int, Default: new("6000"), Importance: Medium,
		Doc: "Smallest session time-out a classic member may ask for.",
	},
	{
		Name: "group.share.assignors", Type: List, Default: new("simple"), check: someOf(), Importance: Medium, Ignored: true,
		Doc: "Assignors of share groups.",
	},
	{
		Name: "group.share.delivery.count.limit", Type: Int, Default: new("5"), check: between(2, 10), Importance: Medium, Ignored: true,
		Doc: "How often a record is handed out by a share group before it is archived.",
	},
	{
		Name: "group.share.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Heartbeat interval given to members of share groups.",
	},
	{
		Name: "group.share.max.heartbeat.interval.ms", Type: Int, Default: new("15000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Largest heartbeat interval a share group may set for itself.",
	},
	{
		Name: "group.share.max.record.lock.duration.ms", Type: Int, Default: new("60000"), check: between(30000, 3600000), Importance: Medium, Ignored: true,
		Doc: "Longest record lock a share group may set for itself.",
	},
	{
		Name: "group.share.max.session.timeout.ms", Type: Int, Default: new("60000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Largest session time-out a share group may set for itself.",
	},
	{
		Name: "group.share.max.share.sessions", Type: Int, Default: new("2000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Share sessions remembered at the same time.",
	},
	{
		Name: "group.share.max.size", Type: Int, Default: new("200"), check: between(1, 1000), Importance: Medium, Ignored: true,
		Doc: "Most members of a share group.",
	},
	{
		Name: "group.share.min.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Smallest heartbeat interval a share group may set for itself.",
	},
	{
		Name: "group.share.min.record.lock.duration.ms", Type: Int, Default: new("15000"), check: between(1000, 30000), Importance: Medium, Ignored: true,
		Doc: "Shortest record lock a share group may set for itself.",
	},
	{
		Name: "group.share.min.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Smallest session time-out a share group may set for itself.",
	},
	{
		Name: "group.share.partition.max.record.locks", Type: Int, Default: new("2000"), check: between(100, 10000), Importance: Medium, Ignored: true,
		Doc: "Records of one partition a share group may have locked.",
	},
	{
		Name: "group.share.record.lock.duration.ms", Type: Int, Default: new("30000"), check: between(1000, 3600000), Importance: Medium, Ignored: true,
		Doc: "How long a record handed to a share consumer stays locked.",
	},
	{
		Name: "group.share.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Time without heartbeat after which a share group's member is removed.",
	},
	{
		Name: "group.streams.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Heartbeat interval given to members of streams groups.",
	},
	{
		Name: "group.streams.initial.rebalance.delay.ms", Type: Int, Default: new("3000"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "How long a new streams group waits before its first assignment.",
	},
	{
		Name: "group.streams.max.heartbeat.interval.ms", Type: Int, Default: new("15000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Largest heartbeat interval a streams group may set for itself.",
	},
	{
		Name: "group.streams.max.session.timeout.ms", Type: Int, Default: new("60000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Largest session time-out a streams group may set for itself.",
	},
	{
		Name: "group.streams.max.size", Type: Int, Default: new("2147483647"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Most members of a streams group.",
	},
	{
		Name: "group.streams.max.standby.replicas", Type: Int, Default: new("2"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Most standby replicas a streams group may set for itself.",
	},
	{
		Name: "group.streams.min.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Smallest heartbeat interval a streams group may set for itself.",
	},
	{
		Name: "group.streams.min.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Smallest session time-out a streams group may set for itself.",
	},
	{
		Name: "group.streams.num.standby.replicas", Type: Int, Default: new("0"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Standby replicas of each task of streams groups.",
	},
	{
		Name: "group.streams.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Time without heartbeat after which a streams group's member is removed.",
	},
	{
		Name: "offset.metadata.max.bytes", Type: Int, Default: new("4096"), Importance: High,
		Doc: "Longest metadata string accepted with a committed offset.",
	},
	{
		Name: "offsets.commit.timeout.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "How long an offset commit may take.",
	},
	{
		Name: "offsets.load.buffer.size", Type: Int, Default: new("5242880"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Read buffer when committed offsets are loaded.",
	},
	{
		Name: "offsets.retention.check.interval.ms", Type: Long, Default: new("600000"), check: atLeast(1), Importance: High,
		Doc: "How often committed offsets are checked for expiry.",
	},
	{
		Name: "offsets.retention.minutes", Type: Int, Default: new("10080"), check: atLeast(1), Importance: High,
		Doc: "How long committed offsets of an inactive group are kept.",
	},
	{
		Name: "offsets.topic.compression.codec", Type: Int, Default: new("0"), Importance: High, Ignored: true,
		Doc: "Codec number of the offsets topic.",
	},
	{
		Name: "offsets.topic.num.partitions", Type: Int, Default: new("50"), check: atLeast(1), Importance: High,
		Doc: "Partitions of the offsets topic; not to be changed later.",
	},
	{
		Name: "offsets.topic.replication.factor", Type: Short, Default: new("3"), check: atLeast(1), Importance: High, Ignored: true, MetBy: "1",
		Doc: "Replication factor of the offsets topic.",
	},
	{
		Name: "offsets.topic.segment.bytes", Type: Int, Default: new("104857600"), check: atLeast(1), Importance: High,
		Doc: "Segment size of the offsets topic.",
	},
	{
		Name: "share.coordinator.append.linger.ms", Type: Int, Default: new("-1"), check: atLeast(-1), Importance: Medium, Ignored: true,
		Doc: "How long the share coordinator gathers records before writing them; -1 adapts.",
	},
	{
		Name: "share.coordinator.load.buffer.size", Type: Int, Default: new("5242880"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Read buffer when share state is loaded.",
	},
	{
		Name: "share.coordinator.snapshot.update.records.per.snapshot", Type: Int, Default: new("500"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Share state updates between two snapshots.",
	},
	{
		Name: "share.coordinator.state.topic.compression.codec", Type: Int, Default: new("0"), Importance: High, Ignored: true,
		Doc: "Codec number of the share state topic.",
	},
	{
		Name: "share.coordinator.state.topic.min.isr", Type: Short, Default: new("2"), check: atLeast(1), Importance: High, Ignored: true, MetBy: "1",
		Doc: "min.insync.replicas of the share state topic.",
	},
	{
		Name: "share.coordinator.state.topic.num.partitions", Type: Int, Default: new("50"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Partitions of the share state topic.",
	},
	{
		Name: "share.coordinator.state.topic.replication.factor", Type: Short, Default: new("3"), check: atLeast(1), Importance: High, Ignored: true, MetBy: "1",
		Doc: "Replication factor of the share state topic.",
	},
	{
		Name: "share.coordinator.state.topic.segment.bytes", Type: Int, Default: new("104857600"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Segment size of the share state topic.",
	},
	{
		Name: "share.coordinator.threads", Type: Int, Default: new("1"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Share coordinator threads.",
	},
	{
		Name: "share.coordinator.write.timeout.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "How long a write of share state may take.",
	},
	{
		Name: "transaction.abort.timed.out.transaction.cleanup.interval.ms", Type: Int, Default: new("10000"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "How often transactions are checked for time-out.",
	},
	{
		Name: "transaction.max.timeout.ms", Type: Int, Default: new("900000"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Longest transaction time-out a producer may ask for.",
	},
	{
		Name: "transaction.partition.verification.enable", Type: Boolean, Default: new("true"), Importance: Low, Update: ClusterWide, Ignored: true,
		Doc: "Whether a partition checks with the coordinator that it belongs to a transaction.",
	},
	{
		Name: "transaction.remove.expired.transaction.cleanup.interval.ms", Type: Int, Default: new("3600000"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "How often expired transactional ids are removed.",
	},
	{
		Name: "transaction.state.log.load.buffer.size", Type: Int, Default: new("5242880"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Read buffer when transaction state is loaded.",
	},
	{
		Name: "transaction.state.log.min.isr", Type: Int, Default: new("2"), check: atLeast(1), Importance: High, Ignored: true, MetBy: "1",
		Doc: "min.insync.replicas of the transaction state topic.",
	},
	{
		Name: "transaction.state.log.num.partitions", Type: Int, Default: new("50"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Partitions of the transaction state topic; not to be changed later.",
	},
	{
		Name: "transaction.state.log.replication.factor", Type: Short, Default: new("3"), check: atLeast(1), Importance: High, Ignored: true, MetBy: "1",
		Doc: "Replication factor of the transaction state topic.",
	},
	{
		Name: "transaction.state.log.segment.bytes", Type: Int, Default: new("104857600"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Segment size of the transaction state topic.",
	},
	{
		Name: "transaction.two.phase.commit.enable", Type: Boolean, Default: new("false"), Importance: Low, Ignored: true,
		Doc: "Allows transactions without time-out for external two-phase commit.",
	},
	{
		Name: "transactional.id.expiration.ms", Type: Int, Default: new("604800000"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "How long an idle transactional id is remembered.",
	},
}
