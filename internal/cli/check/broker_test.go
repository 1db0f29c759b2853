package check

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote"
	"github.com/botehq/bote/internal/cli/tool"
)

// dataFiles lists the files of a data directory that are not empty. The paths are relative to the directory.
func dataFiles(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		if d.Type().IsRegular() && info.Size() > 0 {
			rel, err := filepath.Rel(dir, path)
			require.NoError(t, err)
			names = append(names, rel)
		}
		return nil
	}))
	return names
}

// contentOf starts a broker on a directory and returns what it serves of topic orders. The error is that of a broker that
// refuses to start.
func contentOf(t *testing.T, dir string) (string, error) {
	t.Helper()
	b, err := bote.Open(t.Context(), bote.Config{DataDir: dir, Listen: "127.0.0.1:0"})
	if err != nil {
		return "", err
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	defer func() {
		require.NoError(t, b.Close())
		require.NoError(t, <-served)
	}()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		"orders": {0: kgo.NewOffset().AtStart(), 1: kgo.NewOffset().AtStart()},
	}))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	parts := map[int32]*strings.Builder{0: {}, 1: {}}
	for n := 0; n < ordersReadable; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			fmt.Fprintf(parts[r.Partition], "%d %s %d %d\n", r.Offset, r.Key, r.Timestamp.UnixMilli(), len(r.Value))
		})
	}
	return parts[0].String() + "\n" + parts[1].String(), nil
}

// TestBrokerOnFlippedBit flips one bit in a file of a stopped broker that is not a segment, and starts a broker again. The
// broker must serve all records unchanged, or refuse to start. If it refuses, bote check must have named the damage.
func TestBrokerOnFlippedBit(t *testing.T) {
	t.Parallel()
	dir := stoppedDir(t)
	whole := filepath.Join(t.TempDir(), "whole")
	require.NoError(t, os.CopyFS(whole, os.DirFS(dir)))
	want, err := contentOf(t, whole)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(17, 19))
	refused := 0
	for _, name := range dataFiles(t, dir) {
		if strings.HasSuffix(name, ".log") {
			continue
		}
		for range 2 {
			hurt := filepath.Join(t.TempDir(), "hurt")
			require.NoError(t, os.CopyFS(hurt, os.DirFS(dir)))
			info, err := os.Stat(filepath.Join(hurt, name))
			require.NoError(t, err)
			at, bit := rng.IntN(int(info.Size())), rng.IntN(8)
			flip(t, filepath.Join(hurt, name), at, bit)
			code, out, _ := checkVerb(t.Context(), hurt)
			got, err := contentOf(t, hurt)
			if err != nil {
				require.Equal(t, tool.ExitError, code, "%s byte %d bit %d: the broker refuses (%v), but the check says:\n%s", name, at, bit, err, out)
				refused++
				continue
			}
			require.Equal(t, want, got, "%s byte %d bit %d", name, at, bit)
		}
	}
	require.Positive(t, refused)
}
