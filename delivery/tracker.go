package delivery

import "slices"

// tracker knows which records of a partition are done. It has no lock: its owner
// guards it.
//
// Offsets are added in ascending order, with gaps where compaction or
// transaction markers left some, and are done in any order. Always:
//
//	watermark <= offset of the oldest record not done
//	watermark == offset of the last added record + 1, if all are done
//	watermark never falls
type tracker struct {
	open       fifo[tracked] // from the oldest record not done, ascending
	next       int64         // last added offset + 1, -1 before anything is known
	done       int           // records done above the watermark
	dirty      bool          // a record was done, or the start is to be committed
	firstAdded int64         // first offset added, -1 if none

	// epochs are the leader epochs of the records added, ordered by offset. An
	// offset and its leader epoch together identify one record for good. An
	// offset alone does not: a log may be truncated and rewritten from there.
	epochs []epochStart
}

// epochStart is the first offset that was added in a leader epoch.
type epochStart struct {
	offset int64
	epoch  int32
}

type tracked struct {
	offset int64
	done   bool
}

// newTracker starts at the first offset that is not yet done.
func newTracker(start int64) *tracker { return &tracker{next: start, firstAdded: -1} }

// add hands a record to the tracker. It reports false for an offset that was
// seen before.
func (t *tracker) add(offset int64, epoch int32) bool {
	if offset < t.next {
		return false
	}
	if n := len(t.epochs); n == 0 || t.epochs[n-1].epoch != epoch {
		t.epochs = append(t.epochs, epochStart{offset, epoch})
	}
	t.open.push(tracked{offset: offset})
	if t.firstAdded < 0 {
		t.firstAdded = offset
	}
	t.next = offset + 1
	return true
}

// finish marks a record as done. It reports false for one that is not open.
func (t *tracker) finish(offset int64) bool {
	i, ok := t.find(offset)
	open := t.open.all()
	if !ok || open[i].done {
		return false
	}
	open[i].done = true
	t.dirty = true
	t.done++
	n := 0
	for n < len(open) && open[n].done {
		n++
	}
	t.open.drop(n)
	t.done -= n
	return true
}

func (t *tracker) find(offset int64) (int, bool) {
	open := t.open.all()
	if len(open) > 0 && open[0].offset == offset {
		return 0, true // the usual case.
	}
	return slices.BinarySearchFunc(open, offset, func(e tracked, o int64) int {
		return int(min(max(e.offset-o, -1), 1))
	})
}

// isDone tells whether a record was added, with that leader epoch, and is done.
func (t *tracker) isDone(offset int64, epoch int32) bool {
	if t.firstAdded < 0 || offset < t.firstAdded || offset >= t.next || t.epochOf(offset) != epoch {
		return false
	}
	i, ok := t.find(offset)
	return offset < t.watermark() || ok && t.open.all()[i].done
}

// epochOf is the leader epoch of a record that was added.
func (t *tracker) epochOf(offset int64) int32 {
	i := len(t.epochs) - 1
	for i > 0 && t.epochs[i].offset > offset {
		i--
	}
	return t.epochs[i].epoch
}

// watermark is the offset to commit: everything below it is done.
func (t *tracker) watermark() int64 {
	if t.open.len() > 0 {
		return t.open.all()[0].offset
	}
	return t.next
}

// gap is how many records above the watermark are done and wait for it.
func (t *tracker) gap() int { return t.done }

// moved tells whether there is anything to commit.
func (t *tracker) moved() bool { return t.dirty }

// skipTo moves an idle tracker forward, to where the log was found to start.
func (t *tracker) skipTo(offset int64) {
	if t.open.len() == 0 && offset > t.next {
		t.next = offset
	}
}
