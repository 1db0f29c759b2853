package config

// serverKeys are the table's rows about node, quorum and housekeeping.
var serverKeys = []Key{
	{
		Name: "advertised.listeners", Type: List, check: someOf(), Importance: High,
		Doc: "Addresses given to clients; they must be reachable from where the clients are.",
	},
	{
		Name: "alter.config.policy.class.name", Type: Class, Importance: Low, UnservedProtection: true,
		Doc: "Class that decides whether a config change is allowed.",
	},
	{
		Name: "auto.create.topics.enable", Type: Boolean, Default: new("true"), Importance: High,
		Doc: "Whether naming an unknown topic in a metadata request creates it.",
	},
	{
		Name: "auto.leader.rebalance.enable", Type: Boolean, Default: new("true"), Importance: High, Ignored: true,
		Doc: "Moves leadership back to preferred replicas in the background.",
	},
	{
		Name: "background.threads", Type: Int, Default: new("10"), check: atLeast(1), Importance: High, Update: ClusterWide, Ignored: true,
		Doc: "Threads for background work.",
	},
	{
		Name: "broker.heartbeat.interval.ms", Type: Int, Default: new("2000"), Importance: Medium, Ignored: true,
		Doc: "How often the broker reports to the controller.",
	},
	{
		Name: "broker.id", Type: Int, Default: new("-1"), Importance: High,
		Doc: "Older name of node.id.",
	},
	{
		Name: "broker.rack", Type: String, Importance: Medium,
		Doc: "Rack or zone of the broker, told to clients.",
	},
	{
		Name: "broker.session.timeout.ms", Type: Int, Default: new("9000"), Importance: Medium, Ignored: true,
		Doc: "Time without heartbeat after which the controller fences a broker.",
	},
	{
		Name: "config.providers", Type: List, Default: new(""), check: anyOf(), Importance: Low, Update: ClusterWide, Ignored: true,
		Doc: "Names of providers that resolve values in this file.",
	},
	{
		Name: "controlled.shutdown.enable", Type: Boolean, Default: new("true"), Importance: Medium, Ignored: true,
		Doc: "Moves leaders away before the broker stops.",
	},
	{
		Name: "controller.listener.names", Type: List, Required: true, check: someOf(), Importance: High,
		Doc: "Names of the listeners that belong to the controller.",
	},
	{
		Name: "controller.quorum.append.linger.ms", Type: Int, Default: new("25"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "How long the quorum leader gathers metadata records before writing them.",
	},
	{
		Name: "controller.quorum.auto.join.enable", Type: Boolean, Default: new("false"), Importance: Low, Ignored: true,
		Doc: "Whether a controller joins the quorum by itself.",
	},
	{
		Name: "controller.quorum.bootstrap.servers", Type: List, Default: new(""), check: quorumServers, Importance: High,
		Doc: "Addresses at which the controller quorum is found. One node is its own quorum.",
	},
	{
		Name: "controller.quorum.election.backoff.max.ms", Type: Int, Default: new("1000"), check: atLeast(0), Importance: High, Ignored: true,
		Doc: "Longest pause before a new quorum election.",
	},
	{
		Name: "controller.quorum.election.timeout.ms", Type: Int, Default: new("1000"), check: atLeast(0), Importance: High, Ignored: true,
		Doc: "How long a quorum election waits for votes.",
	},
	{
		Name: "controller.quorum.fetch.timeout.ms", Type: Int, Default: new("2000"), check: atLeast(0), Importance: High, Ignored: true,
		Doc: "How long a quorum follower goes without a fetch before it stands for election.",
	},
	{
		Name: "controller.quorum.request.timeout.ms", Type: Int, Default: new("2000"), check: atLeast(0), Importance: Medium, Ignored: true,
		Doc: "Time-out of requests between controllers.",
	},
	{
		Name: "controller.quorum.retry.backoff.ms", Type: Int, Default: new("20"), check: atLeast(0), Importance: Low, Ignored: true,
		Doc: "Pause before a quorum request is tried again.",
	},
	{
		Name: "controller.quorum.voters", Type: List, Default: new(""), check: quorumVoters, Importance: High,
		Doc: "Static voters of the quorum, each id@host:port.",
	},
	{
		Name: "controller.socket.timeout.ms", Type: Int, Default: new("30000"), Importance: Medium, Ignored: true,
		Doc: "Socket time-out between broker and controller.",
	},
	{
		Name: "create.topic.policy.class.name", Type: Class, Importance: Low, UnservedProtection: true,
		Doc: "Class that decides whether a topic may be created.",
	},
	{
		Name: "default.replication.factor", Type: Int, Default: new("1"), Importance: Medium,
		Doc: "Replication factor of topics created without one.",
	},
	{
		Name: "delete.topic.enable", Type: Boolean, Default: new("true"), Importance: High,
		Doc: "Whether topics can be deleted.",
	},
	{
		Name: "initial.broker.registration.timeout.ms", Type: Int, Default: new("60000"), Importance: Medium, Ignored: true,
		Doc: "How long a starting broker tries to register.",
	},
	{
		Name: "kafka.metrics.polling.interval.secs", Type: Int, Default: new("10"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Polling interval of metric reporters.",
	},
	{
		Name: "kafka.metrics.reporters", Type: List, Default: new(""), check: anyOf(), Importance: Low, Ignored: true,
		Doc: "Classes that report server metrics.",
	},
	{
		Name: "leader.imbalance.check.interval.seconds", Type: Long, Default: new("300"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "How often leadership balance is checked.",
	},
	{
		Name: "log.dir.failure.timeout.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "How long a broker with a failed directory waits for the controller before it stops.",
	},
	{
		Name: "max.request.partition.size.limit", Type: Int, Default: new("2000"), check: atLeast(1), Importance: Medium,
		Doc: "Most partitions one DescribeTopicPartitions answer may hold.",
	},
	{
		Name: "metadata.log.dir", Type: String, Importance: High, Ignored: true,
		Doc: "Directory of the metadata log; the first of log.dirs when unset.",
	},
	{
		Name: "metadata.log.max.record.bytes.between.snapshots", Type: Long, Default: new("20971520"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Metadata bytes after which a snapshot is taken.",
	},
	{
		Name: "metadata.log.max.snapshot.interval.ms", Type: Long, Default: new("3600000"), check: atLeast(0), Importance: High, Ignored: true,
		Doc: "Longest time between two metadata snapshots.",
	},
	{
		Name: "metadata.log.segment.bytes", Type: Int, Default: new("1073741824"), check: atLeast(8388608), Importance: High, Ignored: true,
		Doc: "Size of a metadata log segment.",
	},
	{
		Name: "metadata.log.segment.ms", Type: Long, Default: new("604800000"), Importance: High, Ignored: true,
		Doc: "Age at which a metadata log segment is closed.",
	},
	{
		Name: "metadata.max.idle.interval.ms", Type: Int, Default: new("500"), check: atLeast(0), Importance: Low, Ignored: true,
		Doc: "How often an idle controller writes a no-op record.",
	},
	{
		Name: "metadata.max.retention.bytes", Type: Long, Default: new("104857600"), Importance: High, Ignored: true,
		Doc: "Size at which old metadata segments and snapshots are removed.",
	},
	{
		Name: "metadata.max.retention.ms", Type: Long, Default: new("604800000"), Importance: High, Ignored: true,
		Doc: "Age at which old metadata segments and snapshots are removed.",
	},
	{
		Name: "metric.reporters", Type: List, Default: new("org.apache.kafka.common.metrics.JmxReporter"), check: anyOf(), Importance: Low, Update: ClusterWide, Ignored: true,
		Doc: "Classes that report client-library metrics.",
	},
	{
		Name: "metrics.num.samples", Type: Int, Default: new("2"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Samples kept to compute a metric.",
	},
	{
		Name: "metrics.recording.level", Type: String, Default: new("INFO"), Importance: Low, Ignored: true,
		Doc: "Finest level of metrics recorded.",
	},
	{
		Name: "metrics.sample.window.ms", Type: Long, Default: new("30000"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Length of one metric sample.",
	},
	{
		Name: "node.id", Type: Int, Required: true, check: atLeast(0), Importance: High,
		Doc: "Number of this node in the cluster.",
	},
	{
		Name: "num.replica.alter.log.dirs.threads", Type: Int, Importance: High, Ignored: true,
		Doc: "Threads that move replicas between directories.",
	},
	{
		Name: "process.roles", Type: List, Required: true, check: someOf("broker", "controller"), Importance: High,
		Doc: "What the node is: broker, controller, or both.",
	},
	{
		Name: "telemetry.max.bytes", Type: Int, Default: new("1048576"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Largest metrics push accepted from a client.",
	},
	{
		Name: "unclean.leader.election.enable", Type: Boolean, Default: new("false"), Importance: High, Update: ClusterWide, Ignored: true,
		Doc: "Default of the topic config of this name.",
	},
}
