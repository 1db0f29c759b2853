package commitlog

import (
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/botehq/bote/internal/token"
)

// flusher makes logs durable, many in one round. A log registers when it has unsynced
// bytes. A round syncs all logs that registered before it began; logs that register
// meanwhile wait for the next round. The flusher owns one goroutine and, during a round,
// up to syncers more.
//
// A few files are synced one by one, many by one sync of the whole volume; see
// docs/decisions/0003.
type flusher struct {
	store *Store
	wake  chan struct{}
	stop  chan struct{}
	done  chan struct{}

	appended atomic.Int64 // appends since the last round began
	latest   atomic.Int64 // when the last of them was added, in nanoseconds since began
	began    time.Time

	// The goroutine owns pace. The holder of turn, which is the goroutine or a caller of
	// flushNow, owns choice and points.
	turn   token.Token
	pace   pacer
	choice chooser
	points []flushPoint

	mu    sync.Mutex // guards what follows
	queue []*Log
	spare []*Log
}

// syncers is how many files are synced at once. More than a handful gain nothing on a
// disk.
const syncers = 8

func newFlusher(s *Store) *flusher {
	return &flusher{
		store: s, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), turn: token.New("round of syncs"),
		began: time.Now(), pace: newPacer(s.cfg.FlushGap),
	}
}

// add registers a log for the next round, because something was appended to it.
func (f *flusher) add(l *Log) {
	f.latest.Store(int64(time.Since(f.began)))
	f.appended.Add(1)
	if l.queued.Swap(true) {
		return
	}
	f.mu.Lock()
	f.queue = append(f.queue, l)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *flusher) run() {
	defer close(f.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-f.wake:
			f.gather(timer)
			f.round()
		case <-f.stop:
			f.round()
			return
		}
	}
}

// gather waits until a round may begin.
func (f *flusher) gather(timer *time.Timer) {
	wait := f.pace.wait(time.Since(f.began))
	if wait <= 0 {
		return
	}
	timer.Reset(wait)
	select {
	case <-timer.C:
		f.pace.waited(f.appended.Load(), time.Duration(f.latest.Load()))
	case <-f.stop:
	}
}

// round syncs what is registered.
func (f *flusher) round() {
	f.pace.started(time.Since(f.began))
	f.appended.Store(0)
	f.mu.Lock()
	logs := f.queue
	f.queue = f.spare[:0]
	f.mu.Unlock()
	for _, l := range logs {
		// An append from here on may queue the log for the next round. No other flush clears
		// queued: the log could then be queued twice, and be in one round twice.
		l.queued.Store(false)
	}
	_ = f.flushNow(logs) // each log tells its partition
	f.pace.ended(time.Since(f.began))
	clear(logs)
	f.mu.Lock()
	f.spare = logs[:0]
	f.mu.Unlock()
}

// flushNow syncs logs, each listed once, and returns the errors. A log that fails also
// tells its partition. A log without anything to sync costs nothing.
func (f *flusher) flushNow(logs []*Log) error {
	f.turn.Take()
	defer f.turn.Give()
	var errs []error
	files := 0
	for _, l := range logs {
		p, err := l.beginFlush()
		switch {
		case err != nil:
			errs = append(errs, err)
		case p.log != nil:
			f.points = append(f.points, p)
			files += len(p.segments)
		}
	}
	defer func() {
		clear(f.points)
		f.points = f.points[:0]
	}()
	if files == 0 {
		return errors.Join(errs...)
	}
	if f.choice.takesVolume(files) && !f.doubtVolume() && f.syncVolume() {
		for i := range f.points {
			f.points[i].settle(nil)
		}
		return errors.Join(errs...)
	}
	began := time.Now()
	errs = append(errs, f.syncFiles()...)
	f.choice.tookFiles(files, time.Since(began))
	f.store.metrics.rounds.WithLabelValues("file").Inc()
	return errors.Join(errs...)
}

// doubtVolume reports whether a log of the round must sync its own files.
func (f *flusher) doubtVolume() bool {
	return slices.ContainsFunc(f.points, flushPoint.doubtsVolume)
}

// syncVolume syncs the volume and reports whether that made every log of the round
// durable. A failed sync does not say which file lost something, so the caller then
// syncs every file of the round. The same goes if another sync of the volume has failed
// since the round began.
func (f *flusher) syncVolume() (durable bool) {
	began := time.Now()
	for _, p := range f.points {
		for _, s := range p.segments {
			s.takeIndexDirty()
		}
	}
	defer func() {
		if durable {
			return
		}
		for _, p := range f.points {
			for _, s := range p.segments {
				s.giveIndexDirty()
			}
		}
	}()
	err := f.store.volume.sync()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		f.choice.noVolumeSync = true
		return false
	case err != nil:
		f.store.log.Warn("volume not synced; syncing file by file", slog.Any("err", err))
		return false
	case f.doubtVolume():
		return false
	}
	took := time.Since(began)
	f.choice.tookVolume(took)
	f.store.metrics.rounds.WithLabelValues("volume").Inc()
	f.store.metrics.syncSeconds.Observe(took.Seconds())
	return true
}

// syncFiles syncs file by file and settles each log as soon as it is done.
func (f *flusher) syncFiles() []error {
	return inParallel(len(f.points), func(i int) error { return f.points[i].sync() })
}

func (f *flusher) close() {
	close(f.stop)
	<-f.done
}
