package commitlog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/storage/vfs"
)

// check checks a directory, and requires that nothing in it was written.
func check(t *testing.T, dir string, change ...func(*commitlog.CheckConfig)) *commitlog.CheckReport {
	t.Helper()
	cfg := commitlog.CheckConfig{Dir: dir}
	for _, c := range change {
		c(&cfg)
	}
	before := fingerprint(t, dir)
	report, err := commitlog.Check(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, before, fingerprint(t, dir))
	return report
}

// fingerprint is the names, sizes and times of all files below a directory.
func fingerprint(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		fmt.Fprintf(&out, "%s %d %s\n", path, info.Size(), info.ModTime())
		return nil
	}))
	return out.String()
}

// found lists findings, one per line; damage is marked.
func found(r *commitlog.CheckReport, damageOnly bool) []string {
	out := []string{}
	add := func(list []commitlog.Finding) {
		for _, f := range list {
			mark := "remark"
			if f.Damage {
				mark = "damage"
			}
			if f.Damage || !damageOnly {
				out = append(out, fmt.Sprintf("%s %s @%d offset %d: %s", mark, filepath.ToSlash(f.File), f.Position, f.Offset, f.Text))
			}
		}
	}
	add(r.Findings)
	for _, p := range r.Partitions {
		add(p.Findings)
	}
	return out
}

// TestCheckKafkasDirectories checks directories that Apache Kafka wrote. After a
// clean stop there is nothing wrong. In the directory of a kill, a byte was changed
// on purpose and a batch was cut.
func TestCheckKafkasDirectories(t *testing.T) {
	t.Parallel()
	clean := check(t, dataDir(t, unpack(t, "testdata/kafka-clean.tar.gz")))
	require.True(t, clean.Clean)
	require.Empty(t, found(clean, true))
	killed := check(t, dataDir(t, unpack(t, "testdata/kafka-killed.tar.gz")))
	require.False(t, killed.Clean)
	damage := found(killed, true)
	require.Len(t, damage, 1, "%s", strings.Join(found(killed, false), "\n"))
	require.Contains(t, damage[0], "damage corrupt-0/00000000000000000000.log")
	require.Contains(t, damage[0], "offset 1: the batch is damaged: its checksum is")
	require.Contains(t, damage[0], "the next good one is at byte")
	require.Contains(t, strings.Join(found(killed, false), "\n"), "remark torn-0/00000000000000000000.log")
	for name, report := range map[string]*commitlog.CheckReport{"clean": clean, "killed": killed} {
		for _, want := range kafkaPartitions(t, name) {
			for _, p := range report.Partitions {
				if p.Topic != want.Topic || p.Topic == "corrupt" {
					continue
				}
				require.Equal(t, want.LogStartOffset, p.Start, p.Topic)
				require.Equal(t, want.LogEndOffset, p.End, p.Topic)
				require.GreaterOrEqual(t, p.Batches, int64(len(want.Batches)), p.Topic)
			}
		}
	}
}

func kafkaPartitions(t *testing.T, name string) []kafkaPartition {
	t.Helper()
	raw, err := os.ReadFile("testdata/kafka-" + name + ".json")
	require.NoError(t, err)
	var want struct{ Partitions []kafkaPartition }
	require.NoError(t, json.Unmarshal(raw, &want))
	return want.Partitions
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := commitlog.Check(t.Context(), commitlog.CheckConfig{Dir: filepath.Join(dir, "none")})
	require.ErrorIs(t, err, commitlog.ErrNothingToCheck)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "letter.txt"), nil, 0o600))
	_, err = commitlog.Check(t.Context(), commitlog.CheckConfig{Dir: dir})
	require.ErrorIs(t, err, commitlog.ErrNothingToCheck)

	data := dataDir(t, unpack(t, "testdata/kafka-clean.tar.gz"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = commitlog.Check(ctx, commitlog.CheckConfig{Dir: data})
	require.ErrorIs(t, err, context.Canceled)
	_, err = commitlog.Check(t.Context(), commitlog.CheckConfig{Dir: data, Topic: "nobody"})
	require.ErrorIs(t, err, commitlog.ErrNothingToCheck)
	one := check(t, data, func(c *commitlog.CheckConfig) { c.Topic = "segments" })
	require.Len(t, one.Partitions, 1)
}

// TestCheckAndBroker: a directory that a broker uses cannot be checked, and a check
// keeps brokers out.
func TestCheckAndBroker(t *testing.T) {
	t.Parallel()
	data := dataDir(t, unpack(t, "testdata/kafka-clean.tar.gz"))
	store, err := commitlog.Open(commitlog.Config{Dir: data})
	require.NoError(t, err)
	_, err = commitlog.Check(t.Context(), commitlog.CheckConfig{Dir: data})
	require.ErrorIs(t, err, commitlog.ErrInUse)
	lock, err := vfs.OS{}.Lock(filepath.Join(data, ".lock"))
	require.ErrorIs(t, err, vfs.ErrLocked, "the check took the lock of the broker away")
	require.Nil(t, lock)
	require.NoError(t, store.Close())
	_, err = commitlog.Check(t.Context(), commitlog.CheckConfig{Dir: data})
	require.NoError(t, err)
}

// TestCheckHole: if a segment and all its files are gone, the offsets of its
// neighbours show that. In a compacted topic, or in Apache Kafka's directory, a gap
// may have another reason.
func TestCheckHole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		own, compacted, damage bool
	}{"own": {true, false, true}, "compacted": {true, true, false}, "kafka's": {false, false, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFlipBed(t)
			if c.own {
				require.NoError(t, vfs.WriteFile(b.mem, flipDir, "bote-meta.db", nil))
			}
			var segments []string
			for _, file := range b.files(t) {
				if base, ok := strings.CutSuffix(file, ".log"); ok {
					segments = append(segments, base)
				}
			}
			slices.Sort(segments)
			require.Greater(t, len(segments), 2)
			for _, suffix := range []string{".log", ".index", ".timeindex"} {
				require.NoError(t, b.mem.Remove(segments[1]+suffix))
			}
			report, err := commitlog.Check(t.Context(), commitlog.CheckConfig{FS: b.mem, Dir: flipDir, Metadata: func() (map[string]commitlog.CheckTopic, []commitlog.Finding, error) {
				topics, findings, err := b.metadata()
				topic := topics[b.part.Topic]
				topic.Compacted = c.compacted
				topics[b.part.Topic] = topic
				return topics, findings, err
			}})
			require.NoError(t, err)
			text := found(report, c.damage)
			require.Len(t, text, 1)
			from, err := strconv.Atoi(filepath.Base(segments[1]))
			require.NoError(t, err)
			to, err := strconv.Atoi(filepath.Base(segments[2]))
			require.NoError(t, err)
			require.Contains(t, text[0], fmt.Sprintf("%s.log @-1 offset %d: offsets %d to %d are in no segment", filepath.Base(segments[2]), from, from, to-1))
		})
	}
}
