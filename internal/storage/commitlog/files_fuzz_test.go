package commitlog

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/vfs"
)

// FuzzCheckpoint: a checkpoint is refused or understood. One that was understood is
// the same when it is written and read again.
func FuzzCheckpoint(f *testing.F) {
	f.Add(checkpoint{"a-b-0": 5, "t-1": 0}.encode())
	f.Add([]byte("0\n1\nt 0 5\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := parseCheckpoint(raw)
		if err != nil {
			return
		}
		for _, offset := range c {
			require.GreaterOrEqual(t, offset, int64(0))
		}
		again, err := parseCheckpoint(c.encode())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}

// FuzzEpochs: epochs that are read and their starts both grow strictly.
func FuzzEpochs(f *testing.F) {
	f.Add([]byte("0\n2\n0 0\n3 17\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		epochs, err := parseEpochs(raw)
		for i := 1; err == nil && i < len(epochs); i++ {
			require.Less(t, epochs[i-1].Epoch, epochs[i].Epoch)
			require.Less(t, epochs[i-1].Start, epochs[i].Start)
		}
	})
}

// FuzzIdentity: meta.properties is refused or has a cluster ID; what is written is
// read the same again.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte("#\nversion=1\ncluster.id=abc\nnode.id=1\ndirectory.id=def\n"))
	f.Add([]byte("version=1\r\ncluster.id= x=y \r\nnode.id=-3"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		mem := vfs.NewMem()
		require.NoError(t, mem.MkdirAll("/d"))
		require.NoError(t, vfs.WriteFile(mem, "/d", metaFile, raw))
		id, err := ReadIdentity(mem, "/d")
		if err != nil {
			return
		}
		require.NotEmpty(t, id.ClusterID)
		require.NoError(t, WriteIdentity(mem, "/d", id))
		again, err := ReadIdentity(mem, "/d")
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}
