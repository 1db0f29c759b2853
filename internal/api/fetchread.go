package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/botehq/bote/internal/partition"
)

// sideBySide is how many partitions of a fetch are read at a time: more do not make a
// disk faster.
const sideBySide = 8

// readingTime is how long a fetch may read before it answers with what it has. It waits
// for reads that have begun, because their bytes are part of the answer.
const readingTime = time.Second

// fetchReading reads the partitions of a fetch, several at a time. Partitions get their
// share of the answer's bytes in their order. A partition gives back what it did not
// need; if nothing is left, the next partition waits for that.
type fetchReading struct {
	f     *fetch
	began time.Time

	mu       sync.Mutex // guards what follows
	back     sync.Cond  // signalled when bytes are given back or a read ends
	next     int        // index of the next partition to look at
	reading  int        // number of partitions that are being read
	panicked any
}

// readCached reads what is in memory, on the connection's reader. It reports whether that
// was everything; readAll reads the rest.
func (f *fetch) readCached(ctx context.Context) (all bool) {
	f.reserve()
	for i := range f.parts {
		p := &f.parts[i]
		if !p.more {
			continue
		}
		if f.answerRoom <= 0 && (f.answerBytes > 0 || !f.room) {
			return true // the answer is full
		}
		err := f.readPart(ctx, p, max(0, min(int(p.maxBytes), f.answerRoom)), f.answerBytes == 0 && f.room, true)
		if errors.Is(err, partition.ErrWouldWait) {
			return false
		}
		if err != nil {
			f.setResult(p, err)
		}
		p.more = false
		f.answerRoom -= p.read.Len()
		f.answerBytes += p.read.Len()
	}
	return true
}

// reserve begins the reading: the answer has no bytes yet.
func (f *fetch) reserve() {
	f.answerRoom, f.room = f.r.Reserve(f.maxBytes) // answers that other clients have not taken yet reduce what this one may hold
	f.answerBytes, f.late = 0, false
}

// readAll reads the partitions that are left and have batches. The first one of the fetch
// gives a batch even if that is larger than the answer may be.
func (f *fetch) readAll(ctx context.Context) {
	wanted := 0
	var only *fetchPart
	for i := range f.parts {
		if p := &f.parts[i]; p.more {
			only = p
			wanted++
		}
	}
	if wanted > 1 {
		f.readSideBySide(ctx, wanted)
		return
	}
	if err := f.readPart(ctx, only, max(0, min(int(only.maxBytes), f.answerRoom)), f.answerBytes == 0 && f.room, false); err != nil {
		f.setResult(only, err)
	}
}

// readPart reads one partition. If it may only read what is in memory and needs more, it
// returns partition.ErrWouldWait.
func (f *fetch) readPart(ctx context.Context, p *fetchPart, limit int, first, inMemory bool) (err error) {
	r := f.reading(p)
	r.MaxBytes, r.AtLeastOne, r.NoWait = limit, first, inMemory
	p.read.Chunk, err = p.part.ReadBatches(ctx, r, p.read)
	if err != nil && !errors.Is(err, partition.ErrWouldWait) {
		p.read = partition.Records{}
	}
	return err
}

func (f *fetch) readSideBySide(ctx context.Context, wanted int) {
	rd := &fetchReading{f: f, began: time.Now()}
	rd.back.L = &rd.mu
	first := f.answerBytes == 0 && f.room
	p, limit := rd.take(first)
	if p == nil {
		return
	}
	var helpers sync.WaitGroup
	for range min(sideBySide, wanted) - 1 {
		helpers.Go(func() {
			defer rd.caught()
			rd.work(ctx)
		})
	}
	func() {
		defer rd.caught()
		rd.read(ctx, p, limit, first)
		rd.work(ctx)
	}()
	helpers.Wait()
	if rd.panicked != nil {
		panic(rd.panicked)
	}
	for i := range f.parts {
		// If the batches of the first partition are gone by now, another partition is the
		// first.
		if p := &f.parts[i]; f.answerBytes == 0 && f.room && p.more && p.err == nil && !f.late {
			rd.reading++
			rd.read(ctx, p, 0, true)
		}
	}
}

// caught keeps a panic for the goroutine of the request, and stops the other goroutines.
func (rd *fetchReading) caught() {
	p := recover()
	if p == nil {
		return
	}
	rd.mu.Lock()
	defer rd.mu.Unlock()
	rd.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
	rd.next = len(rd.f.parts)
	rd.reading--
	rd.back.Broadcast()
}

// work reads partitions until none is left.
func (rd *fetchReading) work(ctx context.Context) {
	for {
		p, limit := rd.take(false)
		if p == nil {
			return
		}
		rd.read(ctx, p, limit, false)
	}
}

// read reads the partition that take returned, and gives back the bytes that it did not
// need.
func (rd *fetchReading) read(ctx context.Context, p *fetchPart, limit int, first bool) {
	err := rd.f.readPart(ctx, p, limit, first, false)
	n := p.read.Len()
	rd.mu.Lock()
	defer rd.mu.Unlock()
	if err != nil {
		rd.f.setResult(p, err)
	}
	rd.reading--
	rd.f.answerRoom += limit - n
	rd.f.answerBytes += n
	rd.back.Broadcast()
}

// take returns the next partition to read, or nil if there is none, and how many bytes it
// may have.
func (rd *fetchReading) take(first bool) (p *fetchPart, limit int) {
	f := rd.f
	rd.mu.Lock()
	defer rd.mu.Unlock()
	for rd.f.answerRoom <= 0 && rd.reading > 0 {
		rd.back.Wait()
	}
	for ; rd.next < len(f.parts); rd.next++ {
		p := &f.parts[rd.next]
		if !p.more {
			continue
		}
		if rd.f.answerRoom <= 0 && !first {
			return nil, 0
		}
		if time.Since(rd.began) >= readingTime {
			f.late = true
			return nil, 0
		}
		rd.next++
		rd.reading++
		limit = max(0, min(int(p.maxBytes), rd.f.answerRoom))
		rd.f.answerRoom -= limit
		return p, limit
	}
	return nil, 0
}
