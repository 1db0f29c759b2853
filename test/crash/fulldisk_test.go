package crash_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// smallDisk mounts a file system of 24 MiB and returns its directory. It needs
// root and loop devices, so it is switched on with BOTE_COMPAT=1.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Getenv("BOTE_COMPAT") == "" || runtime.GOOS != "linux" {
		t.Skip("mounts a small disk: set BOTE_COMPAT=1, on Linux, as root")
	}
	image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	require.NoError(t, os.WriteFile(image, nil, 0o600))
	require.NoError(t, os.Truncate(image, 24<<20))
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		return string(out), err
	}
	out, err := run("mkfs.ext4", "-q", image)
	if err == nil {
		out, err = run("mount", "-o", "loop", image, dir)
	}
	if err != nil {
		t.Logf("no loop device, so a small disk in memory: %v: %s", err, out)
		out, err = run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", dir)
	}
	require.NoError(t, err, out)
	t.Cleanup(func() {
		out, err := exec.Command("umount", dir).CombinedOutput()
		require.NoError(t, err, string(out))
	})
	return dir
}

// TestFullDisk fills the disk under the broker and frees it again. Producers get
// KAFKA_STORAGE_ERROR and readers go on. The broker stays up, and accepts records
// again when there is room. What it acknowledged is there, after a kill too.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t)
	filler := filepath.Join(disk, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 10<<20), 0o600))
	d := newDaemon(t, filepath.Join(disk, "log"))
	d.start(t)
	defer d.kill()
	client, err := kgo.NewClient(kgo.SeedBrokers(d.addr), kgo.DefaultProduceTopic(topic), kgo.AllowAutoTopicCreation(), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.RecordRetries(2), kgo.MetadataMinAge(10*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }))
	require.NoError(t, err)
	defer client.Close()

	acked := map[string]int64{}
	put := func(name string) error {
		value := name + string(make([]byte, 50_000))
		r, err := client.ProduceSync(t.Context(), kgo.StringRecord(value)).First()
		if err == nil {
			acked[value] = r.Offset
		}
		return err
	}
	refused := 0
	for i := 0; refused < 20; i++ {
		if err := put(fmt.Sprintf("before-%d", i)); err != nil {
			require.ErrorIs(t, err, kerr.KafkaStorageError)
			refused++
		}
		require.Less(t, i, 1000, "the disk does not fill up")
	}
	full := len(acked)
	check := func() {
		found := readValues(t, d.addr)
		for value, offset := range acked {
			require.Contains(t, found[value], offset)
		}
	}
	check() // reading still works
	require.NoError(t, os.Remove(filler))
	for i := range 20 {
		require.NoError(t, put(fmt.Sprintf("after-%d", i)))
	}
	check()
	d.kill()
	d.start(t)
	check()
	t.Logf("%d acknowledged until the disk was full, %d refused with KAFKA_STORAGE_ERROR, %d acknowledged after it was freed; lost 0", full, refused, len(acked)-full)
}

// readValues reads the topic from start to end and returns the offsets of each
// value.
func readValues(t *testing.T, addr string) map[string][]int64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	require.NoError(t, err)
	want := int64(0)
	ends.Each(func(o kadm.ListedOffset) { want += o.Offset })
	found := map[string][]int64{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for got := int64(0); got < want; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			got++
			found[string(r.Value)] = append(found[string(r.Value)], r.Offset)
		})
	}
	return found
}
