package planted

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bug is a piece of text that occurs once in a file, the text that replaces it, and
// the test that must then fail.
type bug struct {
	name, file, says, planted string
	pkg, test                 string
}

// bugs are bugs that, at some time, every test of the tree missed.
var bugs = []bug{
	{
		"a file is not synced", "internal/storage/vfs/sync_linux.go",
		"return unix.Fdatasync(int(f.Fd()))", "return nil",
		"./test/crash", "TestSystemCallsBeforeTheAnswer",
	},
	{
		"a directory is not synced", "internal/storage/vfs/os.go",
		"{ return syncDir(name) }", "{ _ = syncDir; return nil }",
		"./test/crash", "TestSystemCallsBeforeTheAnswer",
	},
	{
		"a volume is not synced", "internal/storage/vfs/sync_linux.go",
		"return unix.Syncfs(int(v.Fd()))", "return nil",
		"./test/crash", "TestSystemCallsBeforeTheAnswer",
	},
	{
		"a volume that failed once is believed", "internal/storage/commitlog/volume.go",
		"\t\tv.failures.Add(1)\n", "",
		"./internal/storage/commitlog", "TestAVolumeThatFailedOnceIsNotBelieved",
	},
	{
		"intervals sync nothing", "internal/storage/commitlog/cleaner.go",
		"\t\t\tc.flushDirty()\n", "\t\t\t_ = c.flushDirty\n",
		"./internal/storage/commitlog", "TestFlushIntervalSyncsWhatIsDirty",
	},
	{
		"no checkpoint by time", "internal/storage/commitlog/cleaner.go",
		"case <-checkpoint.C:\n\t\t\tc.checkpoint()", "case <-checkpoint.C:",
		"./internal/storage/commitlog", "TestCheckpointComesWithTime",
	},
	{
		"no checkpoint by bytes", "internal/storage/commitlog/cleaner.go",
		"case <-c.much:\n\t\t\tc.checkpoint()", "case <-c.much:",
		"./internal/storage/commitlog", "TestCheckpointComesWithBytes",
	},
	{
		"deleted files stay", "internal/storage/commitlog/cleaner.go",
		"case now := <-removal.C:\n\t\t\tremoval.Reset(c.remove(now))", "case <-removal.C:",
		"./internal/storage/commitlog", "TestDeletedFilesAreRemovedAfterTheDelay",
	},
	{
		"retention beyond the high watermark", "internal/storage/commitlog/retention.go",
		"if end > limit {\n", "if _ = limit; false {\n",
		"./internal/storage/commitlog", "TestRetentionStopsAtTheHighWatermark",
	},
	{
		"retention by size keeps one more", "internal/storage/commitlog/retention.go",
		"surplus >= s.size.Load()", "surplus >= s.size.Load()+segments[n+1].size.Load()",
		"./internal/storage/commitlog", "TestSizeRetentionKeepsWhatFitsAndNoMore",
	},
	{
		"segments do not grow old", "internal/storage/commitlog/segment.go",
		"return age > set.SegmentMs-s.jitter", "return age < 0",
		"./internal/storage/commitlog", "TestSegmentsRollByTheirAge",
	},
	{
		"a cut is not synced", "internal/storage/commitlog/segment.go",
		"if err := f.Sync(); err != nil {\n\t\treturn fmt.Errorf(\"sync segment %d: %w\", s.base, err)\n\t}\n\treturn nil", "return nil",
		"./internal/storage/commitlog", "TestWhatASyncLostIsCutOffForGood",
	},
	{
		"entries of indexes are believed", "internal/storage/segment/find.go",
		"damaged == nil && h.LastOffset() == b.Base+int64(e.Relative)", "damaged == nil",
		"./internal/storage/segment", "TestDamagedIndexes",
	},
	{
		"fetch.max.bytes is not in force", "internal/api/fetch.go",
		"min(int(q.MaxBytes), int(b.Config.Connections.FetchMaxBytes))", "int(q.MaxBytes)",
		"./internal/broker", "TestFetchMaxBytesBoundsAnAnswer",
	},
	{
		"auto.create.topics.enable is not in force", "internal/api/metadata.go",
		"!allowed || !b.Config.AutoCreateTopics && !topic.IsInternal(name)", "!allowed",
		"./internal/broker", "TestAutoCreateTopicsMayBeOff",
	},
	{
		"delete.topic.enable is not in force", "internal/config/server.go",
		"server.DeleteTopics = s.yes(\"delete.topic.enable\")", "server.DeleteTopics = true",
		"./internal/broker", "TestDeleteTopicsMayBeOff",
	},
	{
		"socket.request.max.bytes is not in force", "internal/broker/listeners.go",
		"MaxRequestBytes: int(limits.RequestMaxBytes), ", "",
		"./internal/broker", "TestSocketRequestMaxBytesBoundsARequest",
	},
	{
		"group.max.size is not in force", "internal/broker/groups.go",
		"MaxSize: int(g.MaxSize), ", "",
		"./internal/broker", "TestGroupMaxSizeBoundsAGroup",
	},
	{
		"advertised.listeners is not in force", "internal/broker/listeners.go",
		"if a.Name == at.Name {", "if false && a.Name == at.Name {",
		"./internal/broker", "TestAdvertisedListenersAreWhatClientsAreTold",
	},
	{
		"segment.ms is not in force", "internal/broker/partitions.go",
		"SegmentMs: c.SegmentMs, SegmentJitterMs", "SegmentMs: 1<<62, SegmentJitterMs",
		"./internal/broker", "TestTopicSettingsReachTheLog",
	},
	{
		"index sizes are swapped", "internal/config/topic.go",
		"int32(l.topicInt(\"segment.index.bytes\"))", "int32(l.topicInt(\"index.interval.bytes\"))",
		"./internal/broker", "TestTopicSettingsReachTheLog",
	},
	{
		"retention.bytes is not in force", "internal/broker/partitions.go",
		"RetentionBytes: c.RetentionBytes,", "RetentionBytes: -1,",
		"./internal/broker", "TestRetentionBytesReachesTheLog",
	},
	{
		"a changed config needs a restart", "internal/broker/partitions.go",
		"if t != nil && t != last.of {", "if false && t != nil && t != last.of {",
		"./internal/broker", "TestConfigChangeNeedsNoRestart",
	},
	{
		"producer.id.expiration.ms is not in force", "internal/broker/partitions.go",
		"ProducerExpiry: b.producerExpiry,", "ProducerExpiry: func() time.Duration { return 1 << 62 },",
		"./internal/broker", "TestProducerIDExpires",
	},
	{
		"max.connections is not in force", "internal/broker/listeners.go",
		"Total: int(c.Max), ", "Total: 1<<62, ",
		".", "TestConnectionLimitsChangeWhileTheBrokerRuns",
	},
	{
		"the high watermark is a batch early", "internal/partition/append.go",
		"p.appendedBytes += int64(len(b))\n", "p.appendedBytes += int64(len(b))\n\tp.advance(base)\n",
		"./internal/partition", "TestAnAppendMakesNothingBeforeItVisible",
	},
	{
		"a partition that ends answers nobody", "internal/partition/partition.go",
		"\tfor _, w := range waiting {\n\t\tw.done(reason)\n\t}\n", "\t_ = waiting\n",
		"./internal/partition", "TestAPartitionThatEndsAnswersWhatWaits",
	},
	{
		"a log that fails wakes nobody", "internal/partition/partition.go",
		"\t\tw.done(err)\n\t}\n\tp.wakeAll()\n", "\t\tw.done(err)\n\t}\n",
		"./internal/partition", "TestALogThatFailsWakesItsReaders",
	},
	{
		"an empty group has the generation before", "internal/coordinator/group/rebalance.go",
		"groupRecord(g.id, g.protocolType, g.generation+1, \"\", \"\", s.Now().UnixMilli(), nil)", "groupRecord(g.id, g.protocolType, g.generation, \"\", \"\", s.Now().UnixMilli(), nil)",
		"./internal/coordinator/group", "TestAnEmptyGroupIsAGenerationOfItsOwn",
	},
	{
		"a sync of an old generation is taken", "internal/coordinator/group/sync.go",
		"case req.Generation != g.generation:", "case req.Generation > g.generation:",
		"./internal/coordinator/group", "TestSyncOfAnOldGeneration",
	},
	{
		"old fetches get a code they do not know", "internal/api/fetch.go",
		"&& f.version < storageErrorVersion", "&& false",
		"./internal/broker", "TestFetchBeforeStorageErrors",
	},
	{
		"flush.messages is not in force", "internal/broker/partitions.go",
		"c.FlushMessages < math.MaxInt64", "c.FlushMessages < math.MinInt64",
		"./internal/broker", "TestTopicsMayAskForSyncs",
	},
	{
		"a setting of connections reaches nobody", "internal/broker/listeners.go",
		"IdleTimeout: limits.MaxIdle, ", "",
		"./internal/broker", "TestEverySettingReachesAPart",
	},
	{
		"a setting of groups reaches nobody", "internal/broker/groups.go",
		"OffsetsRetentionCheckInterval: g.OffsetsRetentionCheck,", "",
		"./internal/broker", "TestEverySettingReachesAPart",
	},
	{
		"a setting of topics reaches nobody", "internal/config/topic.go",
		"l.topicInt(\"message.timestamp.after.max.ms\")", "l.topicInt(\"message.timestamp.before.max.ms\")",
		"./internal/broker", "TestEverySettingReachesAPart",
	},
	{
		"a batch is committed record by record", "delivery/commit.go",
		"\t\tif last {\n\t\t\tcm.kick()\n\t\t}\n", "\t\t_ = last\n\t\tcm.kick()\n",
		"./delivery", "TestCommitBatchCommitsOnceForAPoll",
	},
	{
		"the level of compression is not in force", "internal/api/produce.go",
		"r.Level = c.GzipLevel", "r.Level = -1",
		".", "TestCompressionLevels",
	},
}

// TestPlantedTextsAreThere: when code moves, its planted bugs must move along.
func TestPlantedTextsAreThere(t *testing.T) {
	for _, b := range bugs {
		text, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(b.file)))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), b.says), "%s has %q", b.file, b.says)
	}
}

// timeLimit is how long a test may run if a bug makes it hang.
const timeLimit = 30 * time.Second

// TestPlantedBugsAreNoticed runs only with BOTE_PLANTED=1: it compiles the tree once
// for each bug. BOTE_PLANTED=2/7 runs the second of seven parts.
func TestPlantedBugsAreNoticed(t *testing.T) {
	part := os.Getenv("BOTE_PLANTED")
	if part == "" {
		t.Skip("set BOTE_PLANTED=1 to plant bugs")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for i, b := range bugs {
		if !inPart(t, part, i) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			out, err := run(t, root, &b)
			require.Error(t, err, "%s passes over it", b.test)
			require.Contains(t, out, b.test, "it must be what fails")
		})
	}
}

// inPart reports whether bug i belongs to a part such as "2/7"; "1" is everything.
func inPart(t *testing.T, part string, i int) bool {
	t.Helper()
	of, all, ok := strings.Cut(part, "/")
	if !ok {
		return true
	}
	n, m := number(t, of), number(t, all)
	return i%m == (n-1)%m
}

func number(t *testing.T, text string) int {
	t.Helper()
	var n int
	require.NoError(t, json.Unmarshal([]byte(text), &n))
	require.Positive(t, n)
	return n
}

// run runs a bug's test with the bug planted.
func run(t *testing.T, root string, b *bug) (string, error) {
	t.Helper()
	file := filepath.Join(root, filepath.FromSlash(b.file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), b.says), "%s has %q", b.file, b.says)
	mutant, overlay := filepath.Join(t.TempDir(), "mutant.go"), filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(mutant, []byte(strings.Replace(string(text), b.says, b.planted, 1)), 0o600))
	raw, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutant}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, raw, 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout", timeLimit.String(), "-run", "^"+b.test+"$", b.pkg)
	cmd.Dir = root
	// In GOFLAGS, since a test may build the binary.
	cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay, "BOTE_COMPAT=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
