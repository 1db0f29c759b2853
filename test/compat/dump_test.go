package compat

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestDumpLog runs Kafka's DumpLogSegments on the files that bote leaves behind. It
// must find nothing wrong, and bote's own tool must print the same.
func TestDumpLog(t *testing.T) {
	needCompat(t)
	install(t, "java")
	onEach(t, []string{"log.index.interval.bytes=4096"}, func(t *testing.T, b broker) {
		cl := client(t, b, kgo.ConsumeTopics("dumped"), kgo.ConsumerGroup("dumpers"))
		createTopic(t, cl, "dumped", 1)
		fill(t, cl, "dumped", 50)
		for _, codec := range []kgo.CompressionCodec{kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
			fillBatch(t, client(t, b, kgo.ProducerBatchCompression(codec)), "dumped", 200)
		}
		for read := 0; read < 850; {
			f := cl.PollFetches(t.Context())
			require.NoError(t, f.Err())
			read += f.NumRecords()
		}
		require.NoError(t, cl.CommitUncommittedOffsets(t.Context()))
		cl.Close()
		b.stop()

		files := segmentFiles(t, b.data)
		require.GreaterOrEqual(t, len(files), 3, "a log and its indexes")
		for _, flags := range [][]string{{"--print-data-log"}, {"--index-sanity-check"}, {"--deep-iteration"}} {
			s := step{tool: "kafka-dump-log", args: append(flags, "--files", strings.Join(files, ","))}
			theirs, ours := run(t, s.java(t)), run(t, s.bote(t))
			require.Zero(t, theirs.code, theirs.err)
			for _, complaint := range []string{"Mismatches", "not found", "invalid", "isvalid: false", "Exception", "corrupt"} {
				require.NotContains(t, theirs.out+masked(theirs.err), complaint, flags)
			}
			require.Equal(t, theirs.out, ours.out, flags)
			require.Equal(t, theirs.code, ours.code, flags)
			t.Logf("%s: %v: %d files, %d lines agree", b.name, flags, len(files), strings.Count(theirs.out, "\n"))
		}
		offsets := offsetsFile(t, b.data)
		s := step{tool: "kafka-dump-log", args: []string{"--offsets-decoder", "--files", offsets}}
		theirs, ours := run(t, s.java(t)), run(t, s.bote(t))
		require.Contains(t, theirs.out, `"group":"dumpers"`)
		require.Equal(t, theirs.out, ours.out)
	})
}

// segmentFiles returns the log and the indexes of the topic.
func segmentFiles(t *testing.T, data string) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.log", "*.index", "*.timeindex"} {
		found, err := filepath.Glob(filepath.Join(data, "dumped-0", pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	slices.Sort(files)
	return files
}

// offsetsFile returns the log of the offsets topic's partition that has records.
func offsetsFile(t *testing.T, data string) string {
	t.Helper()
	var file string
	require.NoError(t, filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".log" || !strings.Contains(path, "__consumer_offsets-") {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 {
			file = path
		}
		return err
	}))
	require.NotEmpty(t, file)
	return file
}
