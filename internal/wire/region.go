package wire

import (
	"math/bits"
	"os"
	"slices"
	"sync"
	"time"
)

// Frames larger than maxBuffer are read into regions: memory outside of Go's heap, whose
// pages exist only once something was written to them. The garbage collector would let
// several such frames pile up before it frees one.
//
// A region is reused, and never unmapped: a bug that uses a region too late must not end
// the process. A free region gives its pages back to the system if all free regions hold
// more than warmRegions bytes of pages, or if no region was put for regionsIdle.
type regionPool struct {
	mu    sync.Mutex
	free  []region      // the most recently used one is last
	warm  int           // the sum of region.warm over free
	inUse map[*byte]int // key: the first byte of a region; value: how many of its bytes may have pages
	used  time.Time     // when a region was last put
	timed bool          // coolIdle will run
}

// region is a free region. Its size is a power of two.
type region struct {
	b    []byte
	warm int // how many bytes from the start may have pages
}

const (
	largestRegion = 128 << 20
	warmRegions   = 32 << 20
	regionsIdle   = 5 * time.Second
)

var regions = regionPool{inUse: map[*byte]int{}}

// get returns a region for a frame of n bytes, of which counted bytes count in a budget
// already: no more of the region may have pages, since the rest of the frame may never
// arrive. get returns nil if the frame is larger than the largest region, or if the system
// has no regions.
func (p *regionPool) get(n, counted int) *[]byte {
	size := 1 << bits.Len(uint(n-1))
	if size > largestRegion {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range slices.Backward(p.free) {
		if len(r.b) >= size {
			p.free = slices.Delete(p.free, i, i+1)
			p.warm -= r.warm
			r.cool(counted)
			p.inUse[&r.b[0]] = max(r.warm, n)
			return &r.b
		}
	}
	b := mapRegion(size)
	if b == nil {
		return nil
	}
	p.inUse[&b[0]] = n
	return &b
}

// put takes a region back. It ignores all other buffers.
func (p *regionPool) put(buf *[]byte) {
	b := (*buf)[:cap(*buf)]
	p.mu.Lock()
	defer p.mu.Unlock()
	warm, ok := p.inUse[&b[0]]
	if !ok {
		return
	}
	delete(p.inUse, &b[0])
	r := region{b: b, warm: warm}
	if p.warm+warm > warmRegions {
		r.cool(0)
	}
	p.warm += r.warm
	p.free = append(p.free, r)
	if p.used = time.Now(); !p.timed {
		p.timed = true
		time.AfterFunc(regionsIdle, p.coolIdle)
	}
}

// coolIdle cools all free regions, or waits on if one was put meanwhile.
func (p *regionPool) coolIdle() {
	p.mu.Lock()
	left := regionsIdle - time.Since(p.used)
	p.timed = left > 0
	p.mu.Unlock()
	if left > 0 {
		time.AfterFunc(left, p.coolIdle)
		return
	}
	p.cool()
}

// cool gives back the pages of all regions that nobody uses.
func (p *regionPool) cool() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.free {
		p.free[i].cool(0)
	}
	p.warm = 0
}

// discard drops the pages of a region and does not use it again.
func (p *regionPool) discard(buf *[]byte) {
	b := (*buf)[:cap(*buf)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.inUse[&b[0]]; ok {
		delete(p.inUse, &b[0])
		dropPages(b)
	}
}

// cool drops the pages behind the first keep bytes.
func (r *region) cool(keep int) {
	page := os.Getpagesize()
	keep = (keep + page - 1) / page * page
	if r.warm > keep {
		dropPages(r.b[keep:r.warm])
		r.warm = keep
	}
}
