// Package commitlog is the storage engine on local disks, in Apache Kafka's
// directory layout and file formats, byte for byte (docs/formats/log.md).
//
// A [Store] is one data directory. It holds the lock on it, its checkpoints and
// meta.properties, one goroutine that syncs ([flusher]) and one that applies
// retention ([cleaner]). A [Log] is one partition directory: segments, of which
// the last is the active one, and their sparse indexes. Neither decides anything
// that a client can see; see package storage for the contract. What is in a segment is
// read by package segment, which knows no files.
//
// Durability has three modes. In [FlushCommit] an append registers its log with
// the flusher, which syncs all registered logs in one round and then announces
// each: whoever appends while a round runs is served by the next, so one fsync is
// shared by all that wait. In [FlushInterval] and [FlushOS] appends are announced
// at once and the operating system, or a timer, writes them out.
//
// An idle log costs memory for its segments' bookkeeping and nothing else: files
// are opened on first use and closed again by the cleaner, indexes of closed
// segments are read on first use and dropped with the files, and no goroutine
// belongs to a log.
//
// Lock order: Log.mu, then logSegment.mu, then handle.mu. No lock is held across a
// sync, and none while waiting for a token.
//
// What has to be held across syncs and the work of others is a token, which is one
// at a time too. Their order, of which anybody may leave some out: a log's directory
// (Log.inside), the append turn of its partition (Hooks.Turn), the checkpoint files
// (Store.writing), and the leader epochs of a log (Log.changingEpochs). Retention,
// checkpoints, SetStart and [Store.Delete] work inside a directory, and SetStart inside
// several, which it takes in the order of their names; Delete ends the
// log in its turn first, and lets go of that before it waits for the directory. A
// flush has the flusher's turn and then the log's flushing token; where a sync failed,
// it waits for the append turn too, so nobody who has that may flush.
package commitlog
