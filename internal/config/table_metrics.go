package config

// clientMetricsKeys are the table's rows for client metrics subscriptions.
var clientMetricsKeys = []Key{
	{
		Name: "interval.ms", Type: Int, Default: new("300000"), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "How often matching clients push their metrics.",
	},
	{
		Name: "match", Type: List, Default: new(""), check: anyOf(), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Which clients the subscription is for, as selector=pattern pairs.",
	},
	{
		Name: "metrics", Type: List, Default: new(""), check: anyOf(), Importance: Medium, Update: ClusterWide, Ignored: true,
		Doc: "Prefixes of the metric names that clients are asked for.",
	},
}
