package model_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// world is a broker through all its lives, its clients, and what they were
// promised.
type world struct {
	h         history
	disk      *disk
	kept      *memmeta.Store
	node      *node
	clients   []*client
	ref       *reference
	producers []*refProducer
	flying    []*refBatch // sent and not yet answered
	lossy     bool        // the cut to come loses what was not synced
	rearm     step        // a crash during the next start
}

const connections = 3

var (
	topicNames = []string{"alpha", "beta"}
	groupNames = []string{"g", "h"}
)

// play plays a history and returns the first promise that the broker broke.
func play(h history) error {
	w := &world{h: h, kept: memmeta.New(), ref: newReference()}
	for i := range 6 {
		w.producers = append(w.producers, newProducer(i))
	}
	w.disk = newDisk(vfs.NewStrictMem(), h.settings.slowSync)
	err := w.run()
	w.hangUp()
	if w.node != nil {
		_ = w.node.close() // errors were checked where they matter
	}
	return err
}

func (w *world) run() error {
	if err := w.open(); err != nil {
		return err
	}
	if err := w.surviving(w.createTopic(step{})); err != nil {
		return err
	}
	for i, s := range w.h.steps {
		if err := w.surviving(w.do(s)); err != nil {
			return fmt.Errorf("step %d, %v: %w", i, s, err)
		}
	}
	if err := w.surviving(w.awaitAll()); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	if err := w.surviving(w.checkAll()); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	if w.disk.cutAfter(0, (*vfs.Mem).Crash, false) {
		w.lossy = true
	}
	if err := w.surviving(errPower); err != nil {
		return fmt.Errorf("after the end: %w", err)
	}
	return nil
}

// surviving goes on after a step. If the power was cut meanwhile, the next life
// begins and is checked.
func (w *world) surviving(err error) error {
	for {
		if isViolation(err) && w.disk.over() == nil {
			return err
		}
		if w.disk.over() == nil {
			if err != nil && !errors.Is(err, errSkip) {
				return err
			}
			return nil
		}
		if err = w.nextLife(); err == nil {
			err = w.checkAll()
		}
	}
}

// errSkip says that a step could not be done and proves nothing.
var errSkip = errors.New("not done")

// nextLife starts the broker on what the cut left.
func (w *world) nextLife() error {
	w.hangUp()
	if w.node != nil {
		_ = w.node.close() // its disk is gone
	}
	w.node = nil
	if w.lossy && w.h.settings.flush != commitlog.FlushCommit {
		for _, p := range w.ref.parts() {
			p.lost = true
		}
		for _, p := range w.producers {
			p.startOver() // what it had sent may be lost, so its sequences are worthless
		}
	}
	w.disk = newDisk(w.disk.after, w.h.settings.slowSync)
	w.lossy = false
	if w.rearm.a > 0 {
		w.arm(w.rearm, int(w.rearm.a%30)+1)
		w.rearm = step{}
	}
	return w.open()
}

func (w *world) arm(s step, left int) {
	cut, lossy := cutOf(s.b, s.c)
	if w.disk.cutAfter(left, cut, !lossy) {
		w.lossy = lossy
	}
}

// open starts the broker, which must succeed.
func (w *world) open() error {
	d := w.disk
	n, err := startNode(context.Background(), w.h.settings, d, lifetime{w.kept, d.over})
	if err != nil {
		return broken("the broker does not start: %v", err)
	}
	w.node = n
	for range connections {
		c, err := dial(n.doors)
		if err != nil {
			return broken("the broker takes no connection: %v", err)
		}
		w.clients = append(w.clients, c)
	}
	return w.resolveTopics()
}

// hangUp closes the connections; a call under way gets no answer.
func (w *world) hangUp() {
	for _, c := range w.clients {
		c.close()
	}
	w.clients = nil
	for _, b := range w.flying {
		b.call = nil
	}
	w.flying = nil
	for _, p := range w.producers {
		clear(p.troubled)
	}
}

func (w *world) do(s step) error {
	switch s.kind {
	case produce:
		return w.produce(s, s.d%w.h.settings.hurry == 0)
	case storm:
		return w.storm(s)
	case await:
		return w.awaitAll()
	case fetch:
		return w.fetch(s)
	case check:
		return w.checkAll()
	case commit:
		return w.commit(s)
	case session:
		return w.session(s)
	case createTopic:
		return w.createTopic(s)
	case deleteTopic:
		return w.deleteTopic(s)
	case alter:
		return w.alter(s)
	case deleteRecords:
		return w.deleteRecords(s)
	case advance:
		pass([]time.Duration{time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, 1100 * time.Millisecond, 5 * time.Second, 70 * time.Second, 10 * time.Minute}[s.a%7])
		return nil
	case restart:
		return w.restart(s)
	case crash:
		if s.d%4 == 0 {
			w.rearm = step{a: s.d, b: s.c, c: s.b}
		}
		w.arm(s, []int{0, 1, 2, 3, 5, 8, 13, 21}[s.a%8])
		return nil
	case fault:
		w.disk.fail(faultOf(s, w.h.settings.flush == commitlog.FlushCommit))
		return nil
	case heal:
		w.disk.fail(nil)
		return nil
	}
	return nil
}

// restart stops the broker cleanly and starts it again. What the file system has
// not synced by then is still not durable.
func (w *world) restart(s step) error {
	w.disk.fail(nil)
	if s.a%2 == 0 {
		if err := w.awaitAll(); err != nil {
			return err
		}
	}
	w.hangUp()
	err := w.node.close()
	w.node = nil
	if w.disk.over() != nil {
		return errPower
	}
	if err != nil && !w.disk.failed() {
		return broken("the broker does not stop: %v", err)
	}
	d := newDisk(w.disk.mem.Fork(), w.h.settings.slowSync)
	d.left, d.cut, d.kill = w.disk.left, w.disk.cut, w.disk.kill
	w.disk = d
	if err := w.open(); err != nil {
		return err
	}
	return w.checkAll()
}

func (w *world) part(n uint32) *refPart {
	all := w.ref.parts()
	if len(all) == 0 {
		return nil
	}
	return all[n%uint32(len(all))]
}

// answered says what the end of a call means. An error is a violation unless a cut
// or a closed connection explains it.
func (w *world) answered(err error) error {
	switch {
	case err == nil:
		return w.disk.over()
	case w.disk.over() != nil:
		return errPower
	case errors.Is(err, errNoAnswer):
		return broken("%v", err)
	default:
		return broken("a connection ended: %v", err)
	}
}

// explained says whether an error code is allowed: because the disk failed, or
// because a coordinator is not ready.
func (w *world) explained(code int16) error {
	switch err := kerr.ErrorForCode(code); {
	case err == nil:
		return nil
	case w.disk.failed(), errors.Is(err, kerr.CoordinatorLoadInProgress), errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, kerr.NotCoordinator):
		return errSkip
	default:
		return broken("answered %v", err)
	}
}
