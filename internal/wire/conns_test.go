package wire_test

import (
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// openFiles returns how many file descriptors this process has, or 0 if the system
// does not tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// inUse returns the size of the heap and the stacks after a collection.
func inUse() int {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// TestConnectionsLeaveNothing: 10,000 connections come and go. Some send nothing,
// some half a frame, some a request that is not answered yet. None leaves a
// goroutine, memory or a file descriptor behind. The test is not parallel, because it
// counts what the whole process has.
func TestConnectionsLeaveNothing(t *testing.T) {
	const connections, workers = 10_000, 32
	h := &handler{requests: make(chan *wire.Request, connections)}
	b := &bench{handler: h, server: wire.NewServer(h, wire.Config{})}
	l, err := wire.Listen(t.Context(), "PLAINTEXT", "127.0.0.1:0")
	require.NoError(t, err)
	b.addr = l.Addr().String()
	b.server.Serve(l)
	open := func(n int) {
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for i := range n / workers {
					c, err := net.Dial("tcp", b.addr)
					if err != nil {
						t.Error(err)
						return
					}
					_ = c.(*net.TCPConn).SetLinger(0) // leaves no port in TIME_WAIT
					frame := metadata(1)
					_, _ = c.Write(frame[:i%3*len(frame)/2])
					_ = c.Close()
				}
			})
		}
		all.Wait()
		require.Eventually(t, func() bool { return b.server.Connections() == 0 }, 20*time.Second, time.Millisecond)
		for len(b.requests) > 0 {
			(<-b.requests).Reply(kmsg.NewPtrMetadataResponse())
		}
	}
	open(connections / 5)
	goroutines, files, memory := runtime.NumGoroutine(), openFiles(), inUse()
	open(connections)
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		require.True(t, time.Now().Before(deadline), "%d goroutines, before %d", runtime.NumGoroutine(), goroutines)
	}
	require.Eventually(t, func() bool { return openFiles() <= files }, 10*time.Second, 10*time.Millisecond, "files are left")
	require.Less(t, inUse()-memory, 8<<20, "a connection that stayed would be 10 KB")
	b.server.Close()
}

// TestIdleConnectionsAreSmall: a connection that has served requests and is idle
// costs less than 8 KB. That counts both ends, but not the kernel's memory.
func TestIdleConnectionsAreSmall(t *testing.T) {
	const connections, bound = 1000, 8 << 10
	b := newBench(t, wire.Config{})
	for _, requests := range []int32{1, 20} { // a connection that has sent many stays awake for a second
		before := inUse()
		var all []net.Conn
		for range connections {
			c, err := net.Dial("tcp", b.addr)
			require.NoError(t, err)
			all = append(all, c)
			for i := range requests {
				send(t, c, metadata(i))
				b.next(t).Reply(kmsg.NewPtrMetadataResponse())
				require.Equal(t, i, correlation(t, c))
			}
		}
		used := 0
		require.Eventually(t, func() bool {
			used = (inUse() - before) / connections
			return used < bound
		}, 20*time.Second, 50*time.Millisecond, "%d bytes for an idle connection", &used)
		t.Logf("after %d requests, %d bytes for each of %d idle connections", requests, used, connections)
		for _, c := range all {
			require.NoError(t, c.Close())
		}
		require.Eventually(t, func() bool { return b.server.Connections() == 0 }, 20*time.Second, time.Millisecond)
	}
}

// unsized is a handler whose answers may have any size.
type unsized struct{ every }

func (h unsized) Serve(r *wire.Request) {
	r.Unsized()
	h.every.Serve(r)
}

// TestUnsizedAnswers: a connection may wait for a few answers of unknown size at a
// time; its further requests wait until one of these answers exists.
func TestUnsizedAnswers(t *testing.T) {
	t.Parallel()
	h := &handler{requests: make(chan *wire.Request, 10)}
	b := newServed(t, h, unsized{every{h}}, wire.Config{})
	c := b.dial(t)
	var frames []byte
	const most = 4
	for i := range int32(most + 1) {
		frames = append(frames, metadata(i)...)
	}
	send(t, c, frames)
	var begun []*wire.Request
	for range most {
		begun = append(begun, b.next(t))
	}
	other := b.dial(t) // it is served meanwhile
	send(t, other, metadata(100))
	r := b.next(t)
	require.Equal(t, int32(100), r.CorrelationID)
	r.Reply(kmsg.NewPtrMetadataResponse())
	require.Equal(t, int32(100), correlation(t, other))
	select {
	case r := <-b.requests:
		t.Fatalf("request %d is begun", r.CorrelationID)
	default:
	}
	begun[1].Reply(kmsg.NewPtrMetadataResponse()) // it cannot be sent yet: the first one is missing
	require.Equal(t, int32(most), b.next(t).CorrelationID)
	for _, i := range []int{0, 2, 3} {
		begun[i].Reply(kmsg.NewPtrMetadataResponse())
	}
	for i := range int32(most) {
		require.Equal(t, i, correlation(t, c))
	}
}
