//go:build invariants

package token

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// order knows the class of a token and the goroutine that holds it.
type order struct {
	class string
	held  *holding
}

// holding is one period in which a token is held.
type holding struct {
	class     string
	goroutine uint64
}

func newOrder(class string) order { return order{class, &holding{class: class}} }

// watch is what has been seen of all tokens.
var watch = struct {
	sync.Mutex
	holds map[uint64][]*holding      // by goroutine, in the order of taking
	after map[string]map[string]bool // after[a][b]: b was taken while a was held
}{holds: map[uint64][]*holding{}, after: map[string]map[string]bool{}}

// wanted is called before a goroutine waits for the token. It notes which tokens the
// goroutine holds, and panics if another goroutine may wait the other way round.
func (o *order) wanted() {
	watch.Lock()
	defer watch.Unlock()
	for _, h := range watch.holds[goroutine()] {
		if h.class == o.class { // tokens of one class are taken in an order of their own
			continue
		}
		if reaches(o.class, h.class, map[string]bool{}) {
			panic(fmt.Sprintf("token %q is taken while %q is held; elsewhere it is the other way round", o.class, h.class))
		}
		if watch.after[h.class] == nil {
			watch.after[h.class] = map[string]bool{}
		}
		watch.after[h.class][o.class] = true
	}
}

// reaches reports whether b was ever taken while a was held, directly or through
// others.
func reaches(a, b string, seen map[string]bool) bool {
	if a == b {
		return true
	}
	seen[a] = true
	for next := range watch.after[a] {
		if !seen[next] && reaches(next, b, seen) {
			return true
		}
	}
	return false
}

func (o *order) taken() {
	watch.Lock()
	defer watch.Unlock()
	o.held.goroutine = goroutine()
	watch.holds[o.held.goroutine] = append(watch.holds[o.held.goroutine], o.held)
}

func (o *order) given() {
	watch.Lock()
	defer watch.Unlock()
	g := o.held.goroutine
	left := slices.DeleteFunc(watch.holds[g], func(h *holding) bool { return h == o.held })
	if watch.holds[g] = left; len(left) == 0 {
		delete(watch.holds, g)
	}
}

// goroutine returns the number of the calling goroutine. Only a stack trace has it.
func goroutine() uint64 {
	var buf [64]byte
	text := bytes.TrimPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	digits, _, _ := bytes.Cut(text, []byte(" "))
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
