// Package commitlog is the storage engine on local disks, in Apache Kafka's directory
// layout and file formats, byte for byte (docs/formats/log.md).
//
// A [Store] is one data directory. It holds the directory's lock, its checkpoints and
// meta.properties, one goroutine that syncs ([flusher]) and one that applies retention
// ([cleaner]). A [Log] is one partition directory: its segments, of which the last is
// the active one, and their sparse indexes. Neither decides anything that a client can
// see; package storage has the contract. Package segment reads what is in a segment
// and knows no files.
//
// Durability has three modes. In [FlushCommit] an append registers its log with the
// flusher. The flusher syncs all registered logs in one round and then announces each
// log's new end. Appends that come during a round are served by the next one, so many
// appends share one fsync. In [FlushInterval] and [FlushOS] appends are announced at
// once, and a timer or the operating system writes them to the disk; topics with
// AlwaysSync are treated as in FlushCommit.
//
// An idle log costs only the memory for its segments' bookkeeping. Files are opened on
// first use, and the cleaner closes them again. Indexes of closed segments are read on
// first use and dropped with the files. No goroutine belongs to a log.
//
// Lock order: Log.mu, then logSegment.mu, then handle.mu. No mutex is held during a
// sync or while waiting for a token.
//
// A lock that must be held during syncs, or while others do their work, is a token
// (package token). Tokens are taken in this order; a goroutine may leave out some:
//
//  1. Log.dirToken, the directory of a log. SetStarts takes those of several logs, in
//     the order of their names.
//  2. Hooks.Turn, the append turn of the partition
//  3. Store.checkpointsToken, the checkpoint files
//  4. Log.changingEpochs, the leader epochs of a log
//
// and for syncs:
//
//  1. flusher.turn, one round of syncs
//  2. Log.flushing, the flush of a log; a round takes those of many logs
//  3. volume.turn, one sync of the volume; or the append turn. After a failed sync the
//     flush cuts the log in the append turn, so a goroutine that holds the append turn
//     must not flush.
//
// [Store.Delete] first ends the log in its append turn, gives the turn back, and only
// then takes the directory. Builds with the tag invariants check the order.
package commitlog
