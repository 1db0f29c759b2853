// Package coordinator runs state machines whose state is kept in an internal topic.
//
// A coordinator *decides*: a function of the state, the time and a request says
// which records to write and what to answer. The runtime *appends* the records
// as one batch to a partition of the internal topic, lets the state machine
// *apply* them, and calls back when they are durable, which releases the answer.
// Apply is the only code that changes durable state, so replay after a restart
// runs the same code.
//
// One partition of the internal topic is one [Shard]: one machine, one goroutine
// while it is loaded, one heap of timers. A shard is loaded when the first
// operation on one of its keys arrives, or by [Runtime.LoadAll]. A shard with an
// empty partition has no goroutine until an operation on one of its keys arrives.
//
//	idle --> opening --> loading --> active
//	            ^  \________________/ |  |
//	            |                     |  | unload
//	         failed <-----------------'  v
//	                 append failed     idle
//
// Operations are accepted in opening and active. In loading they are refused with
// COORDINATOR_LOAD_IN_PROGRESS. In failed they are refused with NOT_COORDINATOR after a
// failed append, and with COORDINATOR_NOT_AVAILABLE after a failed load.
// An empty partition never passes through loading.
//
// Appends are pipelined. The shard does not wait for a batch to become durable
// before it decides the next operation; state is ahead of the disk, answers are
// not. A read that must not show what a crash can take back goes through
// [Shard.Settled].
//
// When an append fails, the state is ahead of a log that will never catch up. The shard
// drops the state, answers everybody NOT_COORDINATOR, waits, opens the log again and
// replays it. The wait doubles with each failure until the shard has served for a
// while, so that a log that accepts no batches is not replayed all day.
// [Runtime.Reload] ends the wait, because the log is open again.
//
// Replay skips records that the machine cannot read, and logs how many. A machine must
// not append such records.
//
// The package owns loading, ordering, timers and failure. It does not know what
// the records mean, and it does not know the broker's log: [Log] and [Logs] say
// what it needs, and package broker adapts the partition to them.
package coordinator
