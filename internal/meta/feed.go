package meta

import (
	"context"
	"strings"
	"sync"
)

// Feed keeps the newest changes of a store for the watches in the same process. A watch
// that needs an older change is told to read the whole store again.
//
//	floor <= revision of each event kept <= revision
type Feed struct {
	mu       sync.Mutex // guards what follows
	events   []Event    // in the order of their revisions
	floor    int64      // every published change from here on is kept
	revision int64      // of the last change
	lost     int        // how often Lost was called
	lostNow  bool       // Lost was called since the last Publish
	moved    chan struct{}
	closed   bool
}

// feedKeeps is how many changes a feed has at least, and at most twice as many.
const feedKeeps = 4096

// NewFeed returns the feed of a store as of a revision.
func NewFeed(revision int64) *Feed {
	return &Feed{floor: revision + 1, revision: revision, moved: make(chan struct{})}
}

// Publish adds what a transaction changed. The driver calls it in the order of
// revisions, and keeps neither the slice nor its values.
func (f *Feed) Publish(revision int64, events []Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lostNow { // changes before this one may be missing
		f.floor, f.lostNow = revision, false
	}
	f.events = append(f.events, events...)
	f.revision = revision
	if len(f.events) > 2*feedKeeps {
		f.dropLocked(len(f.events) - feedKeeps)
	}
	f.wakeLocked()
}

// dropLocked forgets the oldest changes, whole transactions.
func (f *Feed) dropLocked(n int) {
	last := f.events[n-1].Revision
	for n < len(f.events) && f.events[n].Revision == last {
		n++
	}
	f.events = append([]Event(nil), f.events[n:]...)
	f.floor = last + 1
}

// Lost says that a change may have happened that nobody published.
func (f *Feed) Lost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events, f.floor = nil, f.revision+1
	f.lost++
	f.lostNow = true
	f.wakeLocked()
}

// Close ends the waiting of all that watch.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.wakeLocked()
}

func (f *Feed) wakeLocked() {
	close(f.moved)
	f.moved = make(chan struct{})
}

// Watch is Store.Watch.
func (f *Feed) Watch(prefix string, from int64) Events {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &watcher{f: f, prefix: prefix, from: from, lost: f.lost}
	if f.lostNow { // unpublished changes may be among those that the watch asks for
		w.lost--
	}
	return w
}

// watcher goes through a feed; it holds nothing of it.
type watcher struct {
	f      *Feed
	prefix string
	from   int64
	lost   int
}

func (w *watcher) Next(ctx context.Context) (Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, err
		}
		b, ok, moved, err := w.look()
		if ok || err != nil {
			return b, err
		}
		select {
		case <-moved:
		case <-ctx.Done():
		}
	}
}

// look returns what has happened, or what tells when something has.
func (w *watcher) look() (b Batch, ok bool, moved <-chan struct{}, err error) {
	f := w.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return b, false, nil, ErrClosed
	}
	b.Revision = f.revision
	if w.lost != f.lost || w.from < f.floor {
		w.lost, w.from, b.Resync = f.lost, f.revision+1, true
		return b, true, nil, nil
	}
	for _, e := range f.events {
		if e.Revision >= w.from && strings.HasPrefix(e.Key, w.prefix) {
			e.Value = append([]byte(nil), e.Value...)
			b.Events = append(b.Events, e)
		}
	}
	w.from = max(w.from, f.revision+1)
	return b, len(b.Events) > 0, f.moved, nil
}

func (w *watcher) Close() {}
