package partition

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/storage"
)

// ErrWouldWait is returned by ReadBatches for a Read with NoWait whose batches are not
// known to be in memory.
var ErrWouldWait = storage.ErrWouldWait

// Read is one partition's part of a fetch.
type Read struct {
	Offset int64
	// CurrentEpoch is the leader epoch that the reader knows, -1 for none.
	CurrentEpoch int32
	// LastFetchedEpoch is the epoch of the last batch the reader has, -1 for none.
	LastFetchedEpoch int32
	// ToLogEnd lets a debugging reader see what is not durable yet.
	ToLogEnd   bool
	MaxBytes   int
	AtLeastOne bool // return the first batch even if it is larger than MaxBytes
	FileWanted bool // the batches may be returned as part of a file
	NoWait     bool // return ErrWouldWait instead of waiting for a disk
}

// Records is the result of a read. The chunk must be released.
type Records struct {
	storage.Chunk
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	// Diverged says that the reader has batches that this log does not have. The
	// reader should go back to the end of the epoch in Diverging.
	Diverged  bool
	Diverging storage.Epoch
}

// Read returns whole batches from the one that holds the offset, up to the high
// watermark. No batches at the end is not an error.
func (p *Partition) Read(ctx context.Context, r Read) (Records, error) {
	out, more, err := p.Look(r)
	if err != nil || !more {
		return out, err
	}
	if out.Chunk, err = p.ReadBatches(ctx, r, out); err != nil {
		return Records{}, err
	}
	return out, nil
}

// Look is the part of Read that needs no disk: it returns everything but the batches.
// More says that there are batches to read.
func (p *Partition) Look(r Read) (out Records, more bool, err error) {
	if err := p.alive(); err != nil {
		return Records{}, false, err
	}
	if err := p.CheckEpoch(r.CurrentEpoch); err != nil {
		return Records{}, false, err
	}
	out = Records{HighWatermark: p.HighWatermark(), LogStartOffset: p.LogStartOffset()}
	out.LastStableOffset = out.HighWatermark
	if r.LastFetchedEpoch >= 0 {
		diverged, err := p.diverging(r)
		if err != nil || diverged.Epoch >= 0 {
			out.Diverged, out.Diverging = err == nil, diverged
			return out, false, err
		}
	}
	if r.Offset < out.LogStartOffset || r.Offset > p.LogEndOffset() {
		return Records{}, false, kerr.OffsetOutOfRange
	}
	return out, r.Offset < p.visibleEnd(r, out), nil
}

// visibleEnd is the first offset that the reader may not see. The high watermark is that
// of the earlier Look; for ToLogEnd, the log end is the present one.
func (p *Partition) visibleEnd(r Read, looked Records) int64 {
	if r.ToLogEnd {
		return p.LogEndOffset()
	}
	return looked.HighWatermark
}

// ReadBatches returns the batches that Look has seen. It may wait for a disk.
func (p *Partition) ReadBatches(ctx context.Context, r Read, looked Records) (storage.Chunk, error) {
	if r.MaxBytes <= 0 && !r.AtLeastOne {
		return storage.Chunk{}, nil
	}
	c, err := p.log.Read(ctx, storage.Range{
		From: r.Offset, To: p.visibleEnd(r, looked), MaxBytes: r.MaxBytes, AtLeastOne: r.AtLeastOne, FileWanted: r.FileWanted, NoWait: r.NoWait,
	})
	return c, asClientError(err)
}

// CheckEpoch compares the leader epoch that a client knows with the current one.
func (p *Partition) CheckEpoch(known int32) error {
	switch {
	case known < 0 || known == p.cfg.Epoch:
		return nil
	case known < p.cfg.Epoch:
		return kerr.FencedLeaderEpoch
	default:
		return kerr.UnknownLeaderEpoch
	}
}

// diverging returns where the reader's log diverges from this one, or epoch -1 if it
// does not (KIP-595, KIP-320).
func (p *Partition) diverging(r Read) (storage.Epoch, error) {
	end := p.EpochEnd(r.LastFetchedEpoch)
	if end.Epoch < 0 || r.Offset < p.LogStartOffset() {
		return storage.Epoch{Epoch: -1}, kerr.OffsetOutOfRange
	}
	if end.Epoch < r.LastFetchedEpoch || end.Start < r.Offset {
		return end, nil
	}
	return storage.Epoch{Epoch: -1}, nil
}

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below asked and the
// offset after its last batch, or -1 and -1 if asked is negative or newer than the
// current epoch.
func (p *Partition) EpochEnd(asked int32) storage.Epoch {
	unknown := storage.Epoch{Epoch: -1, Start: -1}
	epochs := p.log.Epochs()
	if n := len(epochs); n == 0 || epochs[n-1].Epoch < p.cfg.Epoch {
		epochs = append(epochs, storage.Epoch{Epoch: p.cfg.Epoch, Start: p.LogEndOffset()})
	}
	last := epochs[len(epochs)-1]
	switch {
	case asked < 0 || asked > last.Epoch:
		return unknown
	case asked == last.Epoch:
		return storage.Epoch{Epoch: asked, Start: p.LogEndOffset()}
	case asked < epochs[0].Epoch:
		return storage.Epoch{Epoch: asked, Start: epochs[0].Start}
	}
	i := len(epochs) - 1
	for epochs[i].Epoch > asked {
		i--
	}
	return storage.Epoch{Epoch: epochs[i].Epoch, Start: epochs[i+1].Start}
}

// StartEpoch is the epoch in force at the log start, -1 if it is not known.
func (p *Partition) StartEpoch() int32 {
	epochs := p.log.Epochs()
	if len(epochs) == 0 || epochs[0].Start > p.LogStartOffset() {
		return -1
	}
	return epochs[0].Epoch
}

// FindTime returns the first visible record with a timestamp of ts or later.
func (p *Partition) FindTime(ctx context.Context, ts int64) (storage.Stamp, bool, error) {
	s, ok, err := p.log.FindTime(ctx, ts, p.HighWatermark())
	return s, ok, asClientError(err)
}

// FindMaxTime returns the first visible record with the largest timestamp.
func (p *Partition) FindMaxTime(ctx context.Context) (storage.Stamp, bool, error) {
	s, ok, err := p.log.FindMaxTime(ctx, p.HighWatermark())
	return s, ok, asClientError(err)
}

// DeleteRecords deletes, durably, everything below offsets[i] of parts[i], and returns
// the log start offsets. An offset of -1 means the high watermark. Partitions of one
// engine share their syncs. It may wait for a disk.
func DeleteRecords(ctx context.Context, parts []*Partition, offsets []int64) (starts []int64, errs []error) {
	starts, errs = make([]int64, len(parts)), make([]error, len(parts))
	var moves []storage.NewStart
	var places []int
	for i, p := range parts {
		var start int64
		if start, errs[i] = p.deletable(offsets[i]); errs[i] == nil {
			moves, places = append(moves, storage.NewStart{Log: p.log, Start: start}), append(places, i)
		}
	}
	for j, err := range storage.SetStarts(ctx, moves) {
		if err != nil {
			errs[places[j]] = asClientError(fmt.Errorf("move the log start to %d: %w", moves[j].Start, err))
		}
	}
	for i, p := range parts {
		if starts[i] = -1; errs[i] == nil {
			starts[i] = p.LogStartOffset()
		}
	}
	return starts, errs
}

// deletable checks the offset of a DeleteRecords and replaces -1 by the high watermark.
func (p *Partition) deletable(offset int64) (int64, error) {
	if err := p.alive(); err != nil {
		return -1, err
	}
	high := p.HighWatermark()
	if offset == -1 {
		offset = high
	}
	if offset < 0 || offset > high {
		return -1, kerr.OffsetOutOfRange
	}
	return offset, nil
}
