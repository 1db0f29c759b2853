package config

// groupKeys are the table's rows for groups.
var groupKeys = []Key{
	{
		Name: "consumer.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Heartbeat interval given to members of a consumer-protocol group.",
	},
	{
		Name: "consumer.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Time without heartbeat after which a member of a consumer-protocol group is removed.",
	},
	{
		Name: "share.auto.offset.reset", Type: String, Default: new("latest"), check: shareOffsetReset, Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Where a share group starts reading a partition: earliest, latest or by_duration followed by an ISO-8601 duration.",
	},
	{
		Name: "share.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Heartbeat interval given to members of a share group.",
	},
	{
		Name: "share.isolation.level", Type: String, Default: new("read_uncommitted"), check: oneOf("read_committed", "read_uncommitted"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Whether a share group reads records of open and aborted transactions.",
	},
	{
		Name: "share.record.lock.duration.ms", Type: Int, Default: new("30000"), check: atLeast(1000), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "How long a record handed to a share consumer stays locked for it.",
	},
	{
		Name: "share.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Time without heartbeat after which a share group's member is removed.",
	},
	{
		Name: "streams.heartbeat.interval.ms", Type: Int, Default: new("5000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Heartbeat interval given to members of a streams group.",
	},
	{
		Name: "streams.initial.rebalance.delay.ms", Type: Int, Default: new("3000"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "How long a new streams group waits for members before its first assignment.",
	},
	{
		Name: "streams.num.standby.replicas", Type: Int, Default: new("0"), check: atLeast(0), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Standby replicas of each task of a streams group.",
	},
	{
		Name: "streams.session.timeout.ms", Type: Int, Default: new("45000"), check: atLeast(1), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Time without heartbeat after which a streams group's member is removed.",
	},
}
