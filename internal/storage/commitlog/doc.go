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
// What has to be held across syncs and the work of others is a token (package token).
// Tokens are taken in this order; some may be left out:
//
//  1. Log.inside, the directory of a log. SetStarts takes those of several logs, in the
//     order of their names.
//  2. Hooks.Turn, the append turn of the partition
//  3. Store.writing, the checkpoint files
//  4. Log.changingEpochs, the leader epochs of a log
//
// and for syncs:
//
//  1. flusher.turn, one round of syncs
//  2. Log.flushing, the flush of a log; a round takes those of many logs
//  3. volume.turn, one sync of the volume, or the append turn: after a failed sync the
//     flush cuts the log, so nothing that has the append turn may flush.
//
// [Store.Delete] ends the log in its append turn first, and gives that back before it
// takes the directory. Builds with the tag invariants check the order.
package commitlog
