// Package group is the group coordinator for classic groups and committed
// offsets: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit,
// OffsetFetch, OffsetDelete, DescribeGroups, ListGroups and DeleteGroups.
//
// A [Coordinator] takes kmsg requests and answers by callback. It finds the shard
// of a group, and the shard's state decides there, on the shard's goroutine. A
// JoinGroup or SyncGroup that has to wait is a callback parked in its member.
//
//	        first join            all joined, or join timer
//	Empty ------------> Preparing -------------------------> Completing
//	  ^                 Rebalance      nobody left: Empty    Rebalance
//	  |                     ^                                    |
//	  | everybody gone      | join, leave, expiry, new metadata  | leader's sync
//	  '---------------------+------------------- Stable <--------'
//
// What is durable is what the records of __consumer_offsets say: committed
// offsets, and the members and assignments of a generation from the leader's
// sync on. It changes in the Apply of its shards only. Members that join, their timers and
// parked answers are not durable: after a restart members join again.
//
// Behaviour is that of Apache Kafka 4.2 (GroupMetadataManager, ClassicGroup,
// OffsetMetadataManager). The package does not authorise; it does not know the
// KIP-848 protocol, whose records it skips; and of transactions it knows what
// replay shows: offsets that are pending until their transaction ends.
package group
