// Package storage is the contract between a live partition and the log that
// keeps its batches. The promises below hold for every engine and are checked by
// package storagetest.
//
// A [Log] keeps whole record batches under the offsets they carry. It decides
// nothing: offsets, epochs, sequences and who may see what are the partition's.
//
//   - Append is two steps. When Append returns, the order is fixed and readers of
//     this process could read the batch. That it survives a crash is announced
//     later and once, by Hooks.Durable with the offset behind the last durable
//     batch, or by Hooks.Failed. After Failed nothing is ever announced again and
//     every Append fails, until the log is opened anew.
//   - What Durable announced is there after any crash, byte for byte. What it did
//     not announce may be there or not, but never partly and never out of order.
//   - Offsets grow. Start <= End, and both never go back while the log lives.
//   - A log stores opaque snapshots of the partition's state and gives the newest
//     usable one back when it is opened, with the headers of the batches after it.
//
// One goroutine at a time may append; everything else may be called at any time.
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

// ErrFailed is wrapped by what a log returns after its disk failed it.
var ErrFailed = errors.New("log failed")

// ErrWouldWait is returned by Read for a Range with NoWait whose batches are not known
// to be in memory.
var ErrWouldWait = errors.New("the read would wait")

// ErrFenced is wrapped by what a log returns, and Hooks.Failed gets, after another broker
// took its partition over: nothing is wrong with the log, it is not this broker's any
// more. The other reason why a log fails is a disk that failed it.
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

// Settings are a topic's configs that an engine acts upon. Times are in
// milliseconds, sizes in bytes; -1 is no limit for the two retentions.
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
	// AlwaysSync makes every batch durable before it is announced, whatever the
	// engine's mode.
	AlwaysSync bool
}

// Hooks are how a log reaches its partition. They are called without any mutex of the
// log held, Durable and Failed from any goroutine. Whoever calls Durable or Failed may be
// appending, or hold up a flush: they must not wait.
type Hooks struct {
	// Settings returns the configs in force; it is called at each append.
	Settings func() Settings
	// Durable says that everything below end survives a crash. A smaller end may come
	// after a larger one.
	Durable func(end int64)
	// Failed says that the log takes no more batches.
	Failed func(err error)
	// Snapshot returns the partition's state, nil if it has none, and the offset that it
	// describes: all batches below it, and no other. It is called in the partition's
	// turn, by the goroutine that appends or within Turn.
	Snapshot func() (state []byte, end int64)
	// Rebuilt reports whether the partition has its whole state, which it has not
	// while it is being opened. Until then no snapshot is taken. Without it, it has.
	Rebuilt func() bool
	// ValidSnapshot reports whether a stored snapshot is whole and can be used: a
	// crash may have torn it. Without it every snapshot is.
	ValidSnapshot func(snapshot []byte) bool
	// Deletable is the offset that retention may not pass: the high watermark.
	Deletable func() int64
	// Turn runs f while the partition appends nothing.
	Turn func(f func() error) error
	// StartMoved says that the log start offset grew.
	StartMoved func(start int64)
}

// Chunk is whole batches as they are stored, in ascending order: bytes, or a part
// of a file for who sends it on without looking at it.
type Chunk struct {
	// Data is valid until Release.
	Data []byte
	// File, if not nil, has the batches in Size bytes from At on; Data is then
	// empty. It may be read until Release.
	File *os.File
	At   int64
	Size int
	// Readable is how many bytes a read with the same bounds could have found if it
	// might end within a batch: at least Len, and MaxBytes where that was what ended the
	// read. What is not known to be below Range.To does not count.
	Readable int
	// Sealed says that the batches are in a part of the log that does not grow any
	// more, and that there are others behind it: a reader has no reason to wait here.
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
	To   int64 // the offset that must not be reached
	// MaxBytes bounds the result; a first batch that is larger is returned all
	// the same if AtLeastOne.
	MaxBytes   int
	AtLeastOne bool
	// FileWanted lets the result be part of a file, if it is worth that.
	FileWanted bool
	// NoWait has the read return ErrWouldWait where it may have to wait for a disk or a
	// network. An engine that cannot tell always returns that.
	NoWait bool
}

// Stamp is where a timestamp was found.
type Stamp struct {
	Offset    int64
	Timestamp int64
	Epoch     int32
}

// Recovered is what opening a log found.
type Recovered struct {
	// Snapshot is the newest usable state of the partition, and SnapshotEnd the
	// offset it was taken at; nil and Start if there is none.
	Snapshot    []byte
	SnapshotEnd int64
}

// Log is the log of one partition.
type Log interface {
	// Append writes a batch, whose base offset must be End or above it.
	Append(b record.Batch) error
	// Start is the first offset that may be read.
	Start() int64
	// End is the next offset to be written.
	End() int64
	// Size is the number of bytes in the log.
	Size() int64
	// Read returns batches from the one that holds r.From on; it may return
	// fewer than there are, and no bytes if r.From is r.To or the end.
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

// NewStart is a log and the offset below which it is to forget everything.
type NewStart struct {
	Log   Log
	Start int64
}

// StartsSetter is a log whose engine can move the starts of many logs together, all of
// them its own.
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
