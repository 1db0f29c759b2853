package config

// netKeys are the table's rows about listeners, connections, limits and quotas.
var netKeys = []Key{
	{
		Name: "client.quota.callback.class", Type: Class, Importance: Low, UnservedProtection: true,
		Doc: "Class that decides client quotas.",
	},
	{
		Name: "connection.failed.authentication.delay.ms", Type: Int, Default: new("100"), check: atLeast(0), Importance: Low, Ignored: true,
		Doc: "Pause before the answer to a failed login, against guessing.",
	},
	{
		Name: "connections.max.idle.ms", Type: Long, Default: new("600000"), Importance: Medium,
		Doc: "Idle connections are closed after this time.",
	},
	{
		Name: "connections.max.reauth.ms", Type: Long, Default: new("0"), Importance: Medium, Ignored: true,
		Doc: "Time after which a SASL connection must log in again; 0 is never.",
	},
	{
		Name: "controller.quota.window.num", Type: Int, Default: new("11"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Samples kept for the controller mutation quota.",
	},
	{
		Name: "controller.quota.window.size.seconds", Type: Int, Default: new("1"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Length of one controller mutation quota sample.",
	},
	{
		Name: "delete.records.purgatory.purge.interval.requests", Type: Int, Default: new("1"), Importance: Medium, Ignored: true,
		Doc: "Finished record deletions after which the waiting list is swept.",
	},
	{
		Name: "early.start.listeners", Type: List, check: anyOf(), Importance: High, Ignored: true,
		Doc: "Listeners opened before authorization is ready.",
	},
	{
		Name: "fetch.max.bytes", Type: Int, Default: new("57671680"), check: atLeast(1024), Importance: Medium,
		Doc: "Most bytes one fetch answer may hold.",
	},
	{
		Name: "fetch.purgatory.purge.interval.requests", Type: Int, Default: new("1000"), Importance: Medium, Ignored: true,
		Doc: "Finished fetches after which the waiting list is swept.",
	},
	{
		Name: "inter.broker.listener.name", Type: String, Importance: Medium,
		Doc: "Listener used between brokers; it must be advertised.",
	},
	{
		Name: "listener.security.protocol.map", Type: String, Default: new("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Importance: Low, Update: PerBroker,
		Doc: "Security protocol of each listener name.",
	},
	{
		Name: "listeners", Type: List, Default: new("PLAINTEXT://:9092"), check: someOf(), Importance: High, Update: PerBroker,
		Doc: "Addresses the broker listens on, each NAME://host:port; an empty host is every interface.",
	},
	{
		Name: "max.connection.creation.rate", Type: Int, Default: new("2147483647"), check: atLeast(0), Importance: Medium, Update: ClusterWide, UnservedProtection: true,
		Doc: "New connections per second the broker accepts.",
	},
	{
		Name: "max.connections", Type: Int, Default: new("2147483647"), check: atLeast(0), Importance: Medium, Update: ClusterWide,
		Doc: "Connections the broker holds at the same time.",
	},
	{
		Name: "max.connections.per.ip", Type: Int, Default: new("2147483647"), check: atLeast(0), Importance: Medium, Update: ClusterWide,
		Doc: "Connections one address may hold at the same time.",
	},
	{
		Name: "max.connections.per.ip.overrides", Type: String, Default: new(""), Importance: Medium, Update: ClusterWide,
		Doc: "Exceptions to max.connections.per.ip, each address:count.",
	},
	{
		Name: "max.incremental.fetch.session.cache.slots", Type: Int, Default: new("1000"), check: atLeast(0), Importance: Medium,
		Doc: "Incremental fetch sessions remembered at the same time.",
	},
	{
		Name: "num.io.threads", Type: Int, Default: new("8"), check: atLeast(1), Importance: High, Update: ClusterWide, Ignored: true,
		Doc: "Threads that handle requests; goroutines need no such number.",
	},
	{
		Name: "num.network.threads", Type: Int, Default: new("3"), check: atLeast(1), Importance: High, Update: ClusterWide, Ignored: true,
		Doc: "Threads that read and write sockets; goroutines need no such number.",
	},
	{
		Name: "producer.purgatory.purge.interval.requests", Type: Int, Default: new("1000"), Importance: Medium, Ignored: true,
		Doc: "Finished produce requests after which the waiting list is swept.",
	},
	{
		Name: "queued.max.request.bytes", Type: Long, Default: new("-1"), Importance: Medium,
		Doc: "Bytes of produce requests in progress, on all connections, after which reading stops; other requests may hold a quarter of it beside them. -1 is an eighth of the memory, but 64 MiB at least and 512 MiB at most; in Kafka it is no limit.",
	},
	{
		Name: "queued.max.requests", Type: Int, Default: new("500"), check: atLeast(1), Importance: High, Ignored: true,
		Doc: "Waiting requests after which reading stops.",
	},
	{
		Name: "quota.window.num", Type: Int, Default: new("11"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Samples kept for client quotas.",
	},
	{
		Name: "quota.window.size.seconds", Type: Int, Default: new("1"), check: atLeast(1), Importance: Low, Ignored: true,
		Doc: "Length of one client quota sample.",
	},
	{
		Name: "request.timeout.ms", Type: Int, Default: new("30000"), Importance: High, Ignored: true,
		Doc: "How long a request to another node may take.",
	},
	{
		Name: "security.inter.broker.protocol", Type: String, Default: new("PLAINTEXT"), check: oneOf("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), Importance: Medium,
		Doc: "Security protocol between brokers when inter.broker.listener.name is not set.",
	},
	{
		Name: "share.fetch.purgatory.purge.interval.requests", Type: Int, Default: new("1000"), Importance: Medium, Ignored: true,
		Doc: "Finished share fetches after which the waiting list is swept.",
	},
	{
		Name: "socket.connection.setup.timeout.max.ms", Type: Long, Default: new("30000"), Importance: Medium, Ignored: true,
		Doc: "Longest time-out for opening a connection to another node.",
	},
	{
		Name: "socket.connection.setup.timeout.ms", Type: Long, Default: new("10000"), Importance: Medium, Ignored: true,
		Doc: "First time-out for opening a connection to another node.",
	},
	{
		Name: "socket.listen.backlog.size", Type: Int, Default: new("50"), check: atLeast(1), Importance: Medium, Ignored: true,
		Doc: "Connections that may wait to be accepted.",
	},
	{
		Name: "socket.receive.buffer.bytes", Type: Int, Default: new("102400"), Importance: High,
		Doc: "Size of a socket's receive buffer; -1 leaves it to the system. If it is not set, the system chooses while there are few connections, and from 32 on it is 131072.",
	},
	{
		Name: "socket.request.max.bytes", Type: Int, Default: new("104857600"), check: atLeast(1), Importance: High,
		Doc: "Largest request accepted.",
	},
	{
		Name: "socket.send.buffer.bytes", Type: Int, Default: new("102400"), Importance: High,
		Doc: "Size of a socket's send buffer; -1 leaves it to the system, which suits long and fast lines.",
	},
}
