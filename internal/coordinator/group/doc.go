// Package group is the group coordinator for classic groups and committed
// offsets: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit,
// OffsetFetch, OffsetDelete, DescribeGroups, ListGroups and DeleteGroups.
//
// A [Coordinator] takes kmsg requests and answers by callback. It finds the shard of
// a group; the shard decides from its state, on its goroutine. A JoinGroup or
// SyncGroup that has to wait is a callback parked in its member.
//
//	        first join            all joined, or join timer
//	Empty ------------> Preparing -------------------------> Completing
//	  ^                 Rebalance      nobody left: Empty    Rebalance
//	  |                     ^                                    |
//	  | everybody gone      | join, leave, expiry, new metadata  | leader's sync
//	  '---------------------+------------------- Stable <--------'
//
// The durable state is what the records of __consumer_offsets say: committed
// offsets, and the members and assignments of a generation from the leader's
// sync on. Only the Apply method of a shard changes it. Joining members, timers and
// parked answers are not durable: after a restart those members join again.
//
// Behaviour is that of Apache Kafka 4.2 (GroupMetadataManager, ClassicGroup,
// OffsetMetadataManager). The package does not authorise. It does not know the
// KIP-848 protocol, and skips its records. It knows transactions only from replay:
// their offsets are pending until the transaction ends.
package group
