package partition

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/storage"
)

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
	AtLeastOne bool // return a first batch that is larger than MaxBytes
	FileWanted bool // the batches may be given as part of a file
}

// Records is what a read found. The chunk must be released.
type Records struct {
	storage.Chunk
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	// Diverged says that the reader has batches that this log does not have; it
	// should go back to the end of the epoch.
	Diverged  bool
	Diverging storage.Epoch
}

// Read returns whole batches from the one that holds the offset, up to the high
// watermark. No batches at the end is not an error.
func (p *Partition) Read(ctx context.Context, r Read) (Records, error) {
	if err := p.alive(); err != nil {
		return Records{}, err
	}
	if err := p.CheckEpoch(r.CurrentEpoch); err != nil {
		return Records{}, err
	}
	out := Records{HighWatermark: p.HighWatermark(), LogStartOffset: p.LogStartOffset()}
	out.LastStableOffset = out.HighWatermark
	if r.LastFetchedEpoch >= 0 {
		diverged, err := p.diverging(r)
		if err != nil || diverged.Epoch >= 0 {
			out.Diverged, out.Diverging = err == nil, diverged
			return out, err
		}
	}
	if r.Offset < out.LogStartOffset || r.Offset > p.LogEndOffset() {
		return Records{}, kerr.OffsetOutOfRange
	}
	to := out.HighWatermark
	if r.ToLogEnd {
		to = p.LogEndOffset()
	}
	if r.Offset >= to || r.MaxBytes <= 0 && !r.AtLeastOne {
		return out, nil
	}
	var err error
	out.Chunk, err = p.log.Read(ctx, storage.Range{From: r.Offset, To: to, MaxBytes: r.MaxBytes, AtLeastOne: r.AtLeastOne, FileWanted: r.FileWanted})
	if err != nil {
		return Records{}, asClientError(err)
	}
	return out, nil
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

// diverging returns where the reader's log parts from this one, epoch -1 if it
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

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch at or below the asked
// one and the offset behind its last batch, or -1 and -1 if nothing can be said.
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

// FindTime returns the first visible record at least as late as ts.
func (p *Partition) FindTime(ctx context.Context, ts int64) (storage.Stamp, bool, error) {
	s, ok, err := p.log.FindTime(ctx, ts, p.HighWatermark())
	return s, ok, asClientError(err)
}

// FindMaxTime returns the first visible record with the largest timestamp.
func (p *Partition) FindMaxTime(ctx context.Context) (storage.Stamp, bool, error) {
	s, ok, err := p.log.FindMaxTime(ctx, p.HighWatermark())
	return s, ok, asClientError(err)
}

// DeleteRecords forgets everything below an offset, durably, and returns the log
// start offset. -1 is the high watermark.
func (p *Partition) DeleteRecords(offset int64) (int64, error) {
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
	if err := p.log.SetStart(offset); err != nil {
		return -1, asClientError(fmt.Errorf("move the log start to %d: %w", offset, err))
	}
	return p.LogStartOffset(), nil
}
