// Package storage is the contract between a live partition and the log that
// keeps its batches. The promises below hold for every engine and are checked by
// package storagetest.
//
// A [Log] keeps whole record batches under the offsets they carry. It decides nothing:
// offsets, epochs, sequences and who may see what are the partition's business.
//
//   - Append is two steps. When Append returns, the order is fixed and readers of this
//     process could read the batch. Whether it survives a crash is announced later,
//     once: by Hooks.Durable with the offset behind the last durable batch, or by
//     Hooks.Failed. After Failed nothing is ever announced again and every Append
//     fails, until the log is opened again.
//   - What Durable announced is there after any crash, byte for byte. What it did not
//     announce may be there or not, but never in part and never out of order.
//   - Offsets grow. Start <= End, and neither goes back while the log lives.
//   - A log stores opaque snapshots of the partition's state. When it is opened, it
//     returns the newest usable snapshot; Headers gives the headers of the batches
//     after it.
//
// Only one goroutine at a time may append; everything else may be called at any time.
package storage

import (
	"context"
	"errors"
	"os"

	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/topic"
)

// ErrOutOfRange is returned by Read for offsets below Start or above End.
var ErrOutOfRange = errors.New("offset out of range")

// ErrClosed is returned by every method of a log that was closed or deleted.
var ErrClosed = errors.New("log is closed")

// ErrFailed is wrapped by the errors of a log whose disk has failed it.
var ErrFailed = errors.New("log failed")

// ErrWouldWait is returned by Read for a Range with NoWait if the batches are not
// known to be in memory.
var ErrWouldWait = errors.New("the read would wait")

// ErrFenced is wrapped by the errors of a log, and by what Hooks.Failed gets, after
// another broker has taken over the partition: nothing is wrong with the log, but it
// is not this broker's any more. The other reason why a log fails is its disk.
var ErrFenced = errors.New("log belongs to another broker")

// ErrTooLarge is returned by Append for a batch that does not fit a segment.
var ErrTooLarge = errors.New("batch larger than a segment")

// Partition names a log.
type Partition struct {
	Topic string
	ID    topic.ID
	Index int32
}

// Epoch says that a leader epoch began at an offset.
type Epoch struct {
	Epoch int32
	Start int64
}

// Settings are a topic's configs that an engine uses. Times are in milliseconds, sizes
// in bytes; -1 is no limit for the two retentions.
type Settings struct {
	SegmentBytes    int64
	SegmentMs       int64
	SegmentJitterMs int64
	IndexBytes      int64
	IndexInterval   int64
	RetentionMs     int64
	RetentionBytes  int64
	FileDeleteMs    int64
	DeleteByPolicy  bool // cleanup.policy has delete
	// AlwaysSync makes every batch durable before it is announced, whatever the engine's
	// flush mode.
	AlwaysSync bool
}

// Hooks are how a log calls its partition. They are called without any mutex of the
// log held, Durable and Failed from any goroutine. Durable and Failed must not block:
// the goroutine that calls them may be appending, or may hold up a flush.
type Hooks struct {
	// Settings returns the current configs; it is called at each append.
	Settings func() Settings
	// Durable says that everything below end survives a crash. A call with a smaller end
	// may come after one with a larger end.
	Durable func(end int64)
	// Failed says that the log takes no more batches.
	Failed func(err error)
	// Snapshot returns the partition's state, nil if it has none, and the offset that it
	// describes: the state has all batches below it, and no other. It is called in the
	// partition's append turn, by the goroutine that appends or within Turn.
	Snapshot func() (state []byte, end int64)
	// Rebuilt reports whether the partition has its whole state; while it is being
	// opened, it has not. Until then the log takes no snapshot. Nil means always.
	Rebuilt func() bool
	// ValidSnapshot reports whether a stored snapshot is whole and can be used: a crash
	// may have torn it. Nil means always.
	ValidSnapshot func(snapshot []byte) bool
	// Deletable is the offset that retention must not pass: the high watermark.
	Deletable func() int64
	// Turn runs f in the partition's append turn: nothing is appended meanwhile.
	Turn func(f func() error) error
	// StartMoved says that the log start offset grew.
	StartMoved func(start int64)
}

// Chunk is whole batches as they are stored, in ascending order: bytes, or a part of a
// file for a caller that sends it on without reading it.
type Chunk struct {
	// Data is valid until Release.
	Data []byte
	// File, if not nil, has the batches, in Size bytes from At on; Data is then empty. It
	// may be read until Release.
	File *os.File
	At   int64
	Size int
	// Readable is how many bytes a read with the same bounds could have returned if a
	// read might end within a batch. It is at least Len, and it is MaxBytes if MaxBytes
	// ended the read. Bytes not known to be below Range.To do not count.
	Readable int
	// Sealed says that the batches are in a part of the log that no longer grows, and
	// that there are others behind them: a reader has no reason to wait here.
	Sealed  bool
	release func()
}

// NewChunk makes a chunk; release may be nil and is called once.
func NewChunk(data []byte, release func()) Chunk { return Chunk{Data: data, release: release} }

// NewFileChunk makes a chunk of a part of a file; release may be nil and is called
// once.
func NewFileChunk(f *os.File, at int64, size int, release func()) Chunk {
	return Chunk{File: f, At: at, Size: size, release: release}
}

// Len is the number of bytes in the batches.
func (c *Chunk) Len() int { return len(c.Data) + c.Size }

// Release gives the bytes back to the engine. It may be called on a zero Chunk.
func (c *Chunk) Release() {
	if c.release != nil {
		c.release()
	}
	*c = Chunk{}
}

// Range bounds a read.
type Range struct {
	From int64 // the first offset wanted
	To   int64 // exclusive end: no batch that begins at or above it is returned
	// MaxBytes bounds the result. With AtLeastOne, the first batch is returned even if it
	// is larger.
	MaxBytes   int
	AtLeastOne bool
	// FileWanted lets the result be part of a file, if that is worth it.
	FileWanted bool
	// NoWait makes the read return ErrWouldWait where it may have to wait for a disk or a
	// network. An engine that cannot tell always returns that error.
	NoWait bool
}

// Stamp is a record that a search by time found.
type Stamp struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

// Recovered is what opening a log found.
type Recovered struct {
	// Snapshot is the newest usable state of the partition, and SnapshotEnd the offset
	// that it describes. If there is none, Snapshot is nil; SnapshotEnd is then Start, or
	// End if a clean stop found no state to save.
	Snapshot    []byte
	SnapshotEnd int64
}

// Log is the log of one partition.
type Log interface {
	// Append writes a batch; its base offset must be End or above.
	Append(b record.Batch) error
	// Start is the log start offset: the first that may be read.
	Start() int64
	// End is the next offset to be written.
	End() int64
	// Size is the number of bytes in the log.
	Size() int64
	// Read returns batches, beginning with the one that holds r.From. It may return fewer
	// than there are, and no bytes if r.From is r.To or the end.
	Read(ctx context.Context, r Range) (Chunk, error)
	// Headers calls visit with the header of each batch that ends above from,
	// in order. The header is valid during the call and has no records.
	Headers(ctx context.Context, from int64, visit func(header record.Batch) error) error
	// Epochs returns the leader epochs of the batches, oldest first. The caller
	// may keep the slice.
	Epochs() []Epoch
	// FindTime returns the first record at or above Start and below to whose
	// timestamp is at least ts; ok is false if there is none.
	FindTime(ctx context.Context, ts, to int64) (s Stamp, ok bool, err error)
	// FindMaxTime returns the first record below to that has the largest
	// timestamp.
	FindMaxTime(ctx context.Context, to int64) (s Stamp, ok bool, err error)
	// SetStart forgets everything below an offset, durably when it returns. If it
	// returns the context's error, nothing has changed.
	SetStart(ctx context.Context, start int64) error
	// Sync makes everything appended so far durable before it returns.
	Sync(ctx context.Context) error
	// Close makes the log durable and ends it.
	Close() error
}

// NewStart is a log and the offset that SetStarts is to move its start to.
type NewStart struct {
	Log   Log
	Start int64
}

// StartsSetter is a log whose engine can move the starts of many of its own logs
// together.
type StartsSetter interface {
	SetStarts(ctx context.Context, moves []NewStart) []error
}

// SetStarts is SetStart for many logs of one engine, with as few syncs as it needs. It
// returns an error, or nil, for each.
func SetStarts(ctx context.Context, moves []NewStart) []error {
	if len(moves) == 0 {
		return nil
	}
	if engine, ok := moves[0].Log.(StartsSetter); ok {
		return engine.SetStarts(ctx, moves)
	}
	errs := make([]error, len(moves))
	for i, m := range moves {
		errs[i] = m.Log.SetStart(ctx, m.Start)
	}
	return errs
}
