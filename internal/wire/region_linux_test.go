package wire

import (
	"encoding/binary"
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// residentRegions returns how many bytes of pages the regions in use have.
func residentRegions(t *testing.T) (n int) {
	t.Helper()
	regions.mu.Lock()
	defer regions.mu.Unlock()
	for first, size := range regions.inUse {
		pages := make([]byte, size/os.Getpagesize())
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(first)), uintptr(len(pages)*os.Getpagesize()), uintptr(unsafe.Pointer(&pages[0])))
		if errno != 0 {
			t.Fatal(errno)
		}
		for _, p := range pages {
			n += int(p&1) * os.Getpagesize()
		}
	}
	return n
}

// TestWarmRegionsAreCounted: RequestMemory bounds what frames occupy, up to 32 MiB of warm
// regions. A client sends a frame of 32 MiB, which leaves a warm region of 32 MiB; another
// client begins such a frame and sends only 4 MiB of it. Of the region, it gets no more pages
// than its budget counts, however often this is repeated.
func TestWarmRegionsAreCounted(t *testing.T) {
	const size, memory, halves = 32 << 20, 96 << 20, 12
	s, dial := listening(t, skips{}, Config{RequestMemory: memory})
	frame := make([]byte, 4+size)
	binary.BigEndian.PutUint32(frame, size)
	copy(frame[4:], []byte{0, 0, 0, 7, 0, 0, 0, 1, 0xff, 0xff})
	whole := dial()
	for i := range halves {
		if _, err := whole.Write(frame); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the whole frame is read", func() bool { return int(s.records.used.Load()) == i*5<<20 })
		if _, err := dial().Write(frame[:4+4<<20]); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the half frame is read", func() bool { return int(s.records.used.Load()) == (i+1)*5<<20 })
	}
	used, pages := s.records.used.Load(), residentRegions(t)
	if int64(pages) > used {
		t.Fatalf("%d MiB count, but regions in use have %d MiB of pages", used>>20, pages>>20)
	}
}
