package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Position is a place in a partition: where to start, or where to seek to.
type Position struct {
	kind   positionKind
	offset int64
	at     time.Time
}

type positionKind int

const (
	atEarliest positionKind = iota
	atLatest
	atOffset
	atTime
	fromEnd
	fromHere
	atCommit
)

// Earliest is the first record there is.
func Earliest() Position { return Position{kind: atEarliest} }

// Latest is the end of the partition, after the last record there is.
func Latest() Position { return Position{kind: atLatest} }

// Offset is an exact offset.
func Offset(o int64) Position { return Position{kind: atOffset, offset: o} }

// AtTime is the first record with that timestamp or a later one.
func AtTime(t time.Time) Position { return Position{kind: atTime, at: t} }

// FromEnd is n records before the end.
func FromEnd(n int64) Position { return Position{kind: fromEnd, offset: n} }

// Relative is n records after the next record to be committed; n < 0 is before
// it. It is for Seek only.
func Relative(n int64) Position { return Position{kind: fromHere, offset: n} }

// NoStart makes a partition without a commit an error instead of starting
// anywhere. It is for StartAt only.
func NoStart() Position { return Position{kind: atCommit} }

// kgoOffset is the position for a partition without a commit.
func (p Position) kgoOffset() kgo.Offset {
	switch p.kind {
	case atEarliest, fromHere:
	case atLatest:
		return kgo.NewOffset().AtEnd()
	case atOffset:
		return kgo.NewOffset().At(p.offset)
	case atTime:
		return kgo.NewOffset().AfterMilli(p.at.UnixMilli())
	case fromEnd:
		return kgo.NewOffset().AtEnd().Relative(-p.offset)
	case atCommit:
		return kgo.NewOffset().AtCommitted()
	}
	return kgo.NewOffset().AtStart()
}

// startProblem says why a partition cannot start at the position, "" if it can.
func (p Position) startProblem() string {
	switch {
	case p.kind == fromHere:
		return "StartAt(Relative): a partition without a commit has nothing to count from, Relative is for Seek only"
	case p.kind == atOffset && p.offset < 0:
		return fmt.Sprintf("StartAt(Offset(%d)): an offset must not be negative", p.offset)
	case p.kind == fromEnd && p.offset < 0:
		return fmt.Sprintf("StartAt(FromEnd(%d)): the number must not be negative", p.offset)
	}
	return ""
}

// seekTo is resolve for Seek. It refuses a position outside the log: the listener
// would have to move it, and might handle the whole partition again. FromEnd and
// Relative stop at the start of the log.
func (p Position) seekTo(ctx context.Context, adm *kadm.Client, tp TP, here int64) (int64, error) {
	if p.kind == atCommit {
		return 0, fmt.Errorf("%s: NoStart is for StartAt only", tp)
	}
	at, err := p.resolve(ctx, adm, tp, here)
	if err != nil || p.kind != atOffset && p.kind != fromEnd && p.kind != fromHere {
		return at, err
	}
	start, err := Earliest().resolve(ctx, adm, tp, 0)
	if err != nil {
		return 0, err
	}
	end, err := Latest().resolve(ctx, adm, tp, 0)
	if err != nil {
		return 0, err
	}
	if p.kind != atOffset {
		at = max(at, start)
	}
	if at < start || at > end {
		return 0, fmt.Errorf("%s: offset %d lies outside the log, which holds %d to %d: %w", tp, at, start, end, kerr.OffsetOutOfRange)
	}
	return at, nil
}

// resolve finds the offset of the position in one partition. here is the next
// offset to be committed.
func (p Position) resolve(ctx context.Context, adm *kadm.Client, tp TP, here int64) (int64, error) {
	var list kadm.ListedOffsets
	var err error
	switch p.kind {
	case atOffset:
		return p.offset, nil
	case fromHere:
		return max(here+p.offset, 0), nil
	case atCommit:
		return here, nil
	case atEarliest:
		list, err = adm.ListStartOffsets(ctx, tp.Topic)
	case atLatest, fromEnd:
		list, err = adm.ListEndOffsets(ctx, tp.Topic)
	case atTime:
		list, err = adm.ListOffsetsAfterMilli(ctx, p.at.UnixMilli(), tp.Topic)
	}
	if err != nil {
		return 0, fmt.Errorf("list offsets of %s: %w", tp.Topic, err)
	}
	o, ok := list.Lookup(tp.Topic, tp.Partition)
	if !ok {
		return 0, fmt.Errorf("list offsets of %s: %w", tp, ErrNotAssigned)
	}
	if o.Err != nil {
		return 0, fmt.Errorf("list offsets of %s: %w", tp, o.Err)
	}
	if p.kind == fromEnd {
		return max(o.Offset-p.offset, 0), nil
	}
	return o.Offset, nil
}
