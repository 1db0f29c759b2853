// Package coordinator runs state machines that are kept in an internal topic.
//
// A coordinator *decides*: a function of the state, the time and a request says
// which records to write and what to answer. The runtime *appends* the records
// as one batch to a partition of the internal topic, lets the state machine
// *apply* them, and calls back when they are durable, which releases the answer.
// Apply is the only code that changes durable state, so replay after a restart
// is the same code.
//
// One partition of the internal topic is one [Shard]: one machine, one goroutine
// while it is loaded, one heap of timers. A shard is loaded when the first
// operation on one of its keys arrives, or by [Runtime.LoadAll]. A shard whose
// partition is empty and that nobody asked for has no goroutine.
//
//	idle --> opening --> loading --> active
//	            ^  \________________/ |  |
//	            |                     |  | unload
//	         failed <-----------------'  v
//	                 append failed     idle
//
// Operations are accepted in opening and active, refused with
// COORDINATOR_LOAD_IN_PROGRESS in loading, and with NOT_COORDINATOR in failed.
// An empty partition never passes through loading.
//
// Appends are pipelined. The shard does not wait for a batch to become durable
// before it decides the next operation; state is ahead of the disk, answers are
// not. A read that must not show what a crash can take back goes through
// [Shard.Settled]. When an append fails the state is ahead of a log that will
// never follow: the shard drops it, answers everybody NOT_COORDINATOR, opens the
// log again and replays. It waits before that, longer each time until the shard has
// served for a while: a log that takes no batches must not be replayed all day.
// [Runtime.Reload] ends the wait: the log is open again. Replay skips records that the machine cannot read, with
// a line in the broker's log; a machine has to see to it that it appends none.
//
// The package owns loading, ordering, timers and failure. It does not know what
// the records mean, and it does not know the broker's log: [Log] and [Logs] say
// what it needs, and the wiring adapts the partition to them.
package coordinator
