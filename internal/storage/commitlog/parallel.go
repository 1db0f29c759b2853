package commitlog

import (
	"sync"
	"sync/atomic"
)

// inParallel calls f(0) to f(n-1), up to syncers of them at once, and returns the
// errors.
func inParallel(n int, f func(i int) error) (errs []error) {
	if n == 1 {
		if err := f(0); err != nil {
			errs = append(errs, err)
		}
		return errs
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var next atomic.Int64
	for range min(syncers, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return errs
}
