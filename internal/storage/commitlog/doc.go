// Package commitlog is the storage engine on local disks, in Apache Kafka's
// directory layout and file formats, byte for byte (docs/formats/log.md).
//
// A [Store] is one data directory. It holds the lock on it, its checkpoints and
// meta.properties, one goroutine that syncs ([flusher]) and one that applies
// retention ([cleaner]). A [Log] is one partition directory: segments, of which
// the last is the active one, and their sparse indexes. Neither decides anything
// that a client can see; see package storage for the contract.
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
// Lock order: Log.mu, then segment.mu, then handle.mu. No lock is held across a
// sync; Log.mu is held across the write of a batch only by its appender's turn,
// which is a token of the partition and not a lock of this package.
package commitlog
