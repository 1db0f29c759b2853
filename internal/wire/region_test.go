package wire

import (
	"runtime"
	"testing"
)

func newRegions(t *testing.T) *regionPool {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there are no regions on Windows")
	}
	p := &regionPool{inUse: map[*byte]int{}, timed: true} // the tests cool it
	return p
}

// TestRegionsAreReused: a region is found again, and has no old bytes once it is cold.
func TestRegionsAreReused(t *testing.T) {
	t.Parallel()
	p := newRegions(t)
	first := p.get(5<<20, 5<<20)
	if first == nil || cap(*first) != 8<<20 {
		t.Fatal("no region of 8 MiB")
	}
	(*first)[1] = 7
	if other := p.get(5<<20, 5<<20); &(*other)[0] == &(*first)[0] {
		t.Fatal("a region was given out twice")
	}
	short := (*first)[:10]
	p.put(&short)
	again := p.get(8<<20, 8<<20)
	if &(*again)[0] != &(*first)[0] || len(*again) != 8<<20 || (*again)[1] != 7 {
		t.Fatal("the region was not reused as it was")
	}
	p.put(again)
	if larger := p.get(9<<20, 9<<20); cap(*larger) != 16<<20 {
		t.Fatal("a region for a frame that does not fit")
	} else {
		p.put(larger)
	}
	if smaller := p.get(5<<20, 5<<20); cap(*smaller) != 16<<20 {
		t.Fatal("the region that was used last fits, and was not taken")
	} else {
		p.put(smaller)
	}
	p.cool()
	if p.warm != 0 || (*p.get(8<<20, 8<<20))[1] != 0 {
		t.Fatal("the region kept its pages")
	}
}

// TestRegionsStayCool: what nobody uses has at most warmRegions.
func TestRegionsStayCool(t *testing.T) {
	t.Parallel()
	p := newRegions(t)
	var all []*[]byte
	for range 8 {
		all = append(all, p.get(9<<20, 9<<20))
	}
	for _, r := range all {
		p.put(r)
	}
	if p.warm > warmRegions || p.warm < warmRegions-9<<20 {
		t.Fatalf("%d bytes are warm", p.warm)
	}
}

// TestOnlyRegionsAreTaken: a buffer of Go's heap, a region that was put already, and a frame
// that is too large for any.
func TestOnlyRegionsAreTaken(t *testing.T) {
	t.Parallel()
	p := newRegions(t)
	heap := make([]byte, 8<<20)
	p.put(&heap)
	r := p.get(8<<20, 8<<20)
	p.put(r)
	p.put(r)
	if len(p.free) != 1 {
		t.Fatalf("%d regions", len(p.free))
	}
	if p.get(largestRegion+1, largestRegion+1) != nil {
		t.Fatal("a region larger than the largest")
	}
}
