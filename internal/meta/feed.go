package meta

import (
	"context"
	"strings"
	"sync"
)

// Feed keeps the newest changes of a store for the watches in the same process. A watch
// that needs an older change gets a Resync.
//
//	keptFrom <= revision of each of events <= revision
type Feed struct {
	mu               sync.Mutex    // guards the fields below
	events           []Event       // in the order of their revisions
	keptFrom         int64         // events has all published changes from this revision on
	revision         int64         // of the last Publish
	losses           int           // how often Lost was called
	lostSincePublish bool          // Lost was called since the last Publish
	changed          chan struct{} // closed and replaced at every change of the feed
	closed           bool
}

// feedKeeps is about how many changes a feed keeps when it drops the oldest; it drops
// whole transactions. It does so when it has more than twice as many changes.
const feedKeeps = 4096

// NewFeed returns the feed of a store that is at a revision.
func NewFeed(revision int64) *Feed {
	return &Feed{keptFrom: revision + 1, revision: revision, changed: make(chan struct{})}
}

// Publish adds the changes of a transaction. The driver calls it in the order of
// revisions, and must not change the slice or its values afterwards.
func (f *Feed) Publish(revision int64, events []Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lostSincePublish { // changes with smaller revisions may be missing
		f.keptFrom, f.lostSincePublish = revision, false
	}
	f.events = append(f.events, events...)
	f.revision = revision
	if len(f.events) > 2*feedKeeps {
		f.dropLocked(len(f.events) - feedKeeps)
	}
	f.wakeLocked()
}

// dropLocked drops the oldest n changes, and the rest of the last one's transaction.
func (f *Feed) dropLocked(n int) {
	last := f.events[n-1].Revision
	for n < len(f.events) && f.events[n].Revision == last {
		n++
	}
	f.events = append([]Event(nil), f.events[n:]...)
	f.keptFrom = last + 1
}

// Lost says that a transaction which is not published may have happened. All watches get
// a Resync.
func (f *Feed) Lost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events, f.keptFrom = nil, f.revision+1
	f.losses++
	f.lostSincePublish = true
	f.wakeLocked()
}

// Close makes Next return ErrClosed in all watches.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.wakeLocked()
}

func (f *Feed) wakeLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// Watch implements Store.Watch.
func (f *Feed) Watch(prefix string, from int64) Events {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &watcher{f: f, prefix: prefix, from: from, lost: f.losses}
	if f.lostSincePublish { // from may be the revision of a change that nobody will publish: Resync
		w.lost--
	}
	return w
}

// watcher is a position in a feed. The feed does not know its watchers.
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

// look returns the next batch if ok, else a channel that is closed when the feed changes.
func (w *watcher) look() (b Batch, ok bool, moved <-chan struct{}, err error) {
	f := w.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return b, false, nil, ErrClosed
	}
	b.Revision = f.revision
	if w.lost != f.losses || w.from < f.keptFrom {
		w.lost, w.from, b.Resync = f.losses, f.revision+1, true
		return b, true, nil, nil
	}
	for _, e := range f.events {
		if e.Revision >= w.from && strings.HasPrefix(e.Key, w.prefix) {
			e.Value = append([]byte(nil), e.Value...)
			b.Events = append(b.Events, e)
		}
	}
	w.from = max(w.from, f.revision+1)
	return b, len(b.Events) > 0, f.changed, nil
}

func (w *watcher) Close() {}
