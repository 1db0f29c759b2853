package wire

import (
	"math/bits"
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
	idle  *time.Timer
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

// get returns a region for a frame of n bytes. It returns nil if the frame is larger than
// the largest region, or if the system has no regions.
func (p *regionPool) get(n int) *[]byte {
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
		r.cool()
	}
	p.warm += r.warm
	p.free = append(p.free, r)
	if p.idle == nil {
		p.idle = time.AfterFunc(regionsIdle, p.cool)
	} else {
		p.idle.Reset(regionsIdle)
	}
}

// cool gives back the pages of all regions that nobody uses.
func (p *regionPool) cool() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.free {
		p.free[i].cool()
	}
	p.warm = 0
}

func (r *region) cool() {
	if r.warm > 0 {
		dropPages(r.b[:r.warm])
		r.warm = 0
	}
}
