package model_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/botehq/bote/internal/storage/vfs"
)

// disk is a file system that can be cut off at any operation, can fail on command,
// and can be slow. A cut leaves the next disk behind.
type disk struct {
	*vfs.Faulty
	mem  *vfs.Mem
	slow time.Duration

	mu      sync.Mutex // guards what follows
	left    int        // operations until the cut; 0 means no cut
	cut     func(*vfs.Mem) *vfs.Mem
	kill    bool     // the cut is a kill, which leaves the page cache
	after   *vfs.Mem // what the cut left
	fault   *faultOn
	faulted bool // something failed in this life, or failed before and is still to be reported
}

// faultOn is what fails: the next operations of a kind on files of a kind.
type faultOn struct {
	op     vfs.Op
	suffix string
	left   int
	err    error
}

var errPower = errors.New("the power is cut")

func newDisk(mem *vfs.Mem, slow time.Duration) *disk {
	d := &disk{Faulty: vfs.NewFaulty(mem), mem: mem, slow: slow, faulted: mem.OwesError()}
	d.Inject(d.before)
	return d
}

// before is called before each operation and decides whether it fails.
func (d *disk) before(op vfs.Op, name string) error {
	// Only syncs of batches are slow: checkpoints are written under a mutex, and a
	// bubble does not see a goroutine that waits for a mutex.
	syncs := op == vfs.OpSync && strings.HasSuffix(name, ".log") || op == vfs.OpSyncFS
	if syncs && d.slow > 0 && d.over() == nil {
		time.Sleep(d.slow)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after != nil {
		return errPower
	}
	if d.left > 0 && op != vfs.OpRead && op != vfs.OpOpen && op != vfs.OpList {
		if d.left--; d.left == 0 {
			d.after = d.cut(d.mem)
			return errPower
		}
	}
	if f := d.fault; f != nil && f.left > 0 && f.op == op && strings.HasSuffix(name, f.suffix) {
		f.left--
		d.faulted = true
		if d.kill && (op == vfs.OpSync || op == vfs.OpSyncFS) {
			// This case is left out: a kill between a failed sync and the cut that the log
			// then makes, and a power cut after both.
			d.left = 0
		}
		return f.err
	}
	return nil
}

// cutAfter cuts the power, or kills the process, before a later operation; at once
// if left is 0. It returns false if that has happened already.
func (d *disk) cutAfter(left int, cut func(*vfs.Mem) *vfs.Mem, kill bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after != nil {
		return false
	}
	d.left, d.cut, d.kill = left, cut, kill
	if left == 0 {
		d.after = cut(d.mem)
	}
	return true
}

// over returns an error once the power is cut.
func (d *disk) over() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.after != nil {
		return errPower
	}
	return nil
}

// failed reports whether an error of the disk explains one of the broker.
func (d *disk) failed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faulted || d.after != nil
}

func (d *disk) fail(f *faultOn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// cutOf returns a way to end a life. lossy says that what was not synced may be
// lost.
func cutOf(how, seed uint32) (cut func(*vfs.Mem) *vfs.Mem, lossy bool) {
	switch how % 4 {
	case 0:
		return (*vfs.Mem).Fork, false
	case 1:
		return (*vfs.Mem).Crash, true
	default:
		rng := rand.New(rand.NewPCG(uint64(seed), uint64(how)))
		return func(m *vfs.Mem) *vfs.Mem { return m.CrashRandomly(rng) }, true
	}
}

// faultOf returns what a step makes fail. Where batches are announced before they
// are synced, a failed sync does not lose dirty pages here. The log does not cut off
// announced batches then, so after a kill the next process finds them whole in the
// page cache, and none of its syncs writes them. A power cut after all that leaves a
// hole.
func faultOf(s step, forget bool) *faultOn {
	all := []faultOn{
		{op: vfs.OpWrite, suffix: ".log"},
		{op: vfs.OpWrite},
		{op: vfs.OpSync, suffix: ".log"},
		{op: vfs.OpSync},
		{op: vfs.OpSyncDir},
		{op: vfs.OpSyncFS},
		{op: vfs.OpRename},
		{op: vfs.OpOpen},
		{op: vfs.OpRead},
		{op: vfs.OpTruncate},
		{op: vfs.OpMkdir},
		{op: vfs.OpRemove},
	}
	f := all[s.a%uint32(len(all))]
	f.left = []int{1, 2, 5, 1000}[s.b%4]
	f.err = &vfs.FaultError{Err: []error{syscall.ENOSPC, syscall.EIO}[s.c%2], Done: int(s.d % 100), Forget: forget && s.d%3 > 0}
	return &f
}

// settle waits until no goroutine can go on without time passing.
func settle() { synctest.Wait() }

// pass lets time pass.
func pass(d time.Duration) { time.Sleep(d) }
