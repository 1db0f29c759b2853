package wire_test

import (
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/wire"
)

// TestAFileThatTheKernelCannotSend: files of /proc can be read, but sendfile refuses them.
// The client gets their bytes nevertheless.
func TestAFileThatTheKernelCannotSend(t *testing.T) {
	t.Parallel()
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		t.Skip("this kernel has no large file that sendfile refuses: ", err)
	}
	t.Cleanup(func() { _ = f.Close() })
	want := make([]byte, 100<<10)
	if _, err := io.ReadFull(f, want); err != nil {
		t.Skip("this kernel's file is too small: ", err)
	}
	b := newEvery(t, wire.Config{})
	c := b.dial(t)
	send(t, c, fetch(1))
	b.next(t).ReplyParts(false, []wire.Part{{Bytes: []byte("head")}, {File: f, Size: len(want)}, {Bytes: []byte("end")}}, nil)
	require.Equal(t, "head"+string(want)+"end", string(receive(t, c, 1<<20)))
}
