//go:build unix

package wire

import "golang.org/x/sys/unix"

// mapRegion returns a new region, or nil if the system has none to give.
func mapRegion(size int) []byte {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil
	}
	return b
}

// dropPages gives the pages of a region back to the system.
func dropPages(b []byte) { _ = unix.Madvise(b, unix.MADV_DONTNEED) } // if it fails, they stay for the next use
