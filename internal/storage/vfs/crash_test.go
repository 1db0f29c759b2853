package vfs_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/storage/vfs"
)

const seeds = 2000

func rng(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func create(t *testing.T, f vfs.FS, name string) vfs.File {
	t.Helper()
	file, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE)
	require.NoError(t, err)
	return file
}

func write(t *testing.T, file vfs.File, at int64, p []byte) {
	t.Helper()
	_, err := file.WriteAt(p, at)
	require.NoError(t, err)
}

// names lists a file system as "/a/b=content"; directories end in a slash.
func names(t *testing.T, f vfs.FS) []string {
	t.Helper()
	var out []string
	var list func(dir string)
	list = func(dir string) {
		infos, err := f.ReadDir(dir)
		require.NoError(t, err)
		for _, i := range infos {
			name := filepath.Join(dir, i.Name)
			if i.Dir {
				out = append(out, filepath.ToSlash(name)+"/")
				list(name)
				continue
			}
			content, err := vfs.ReadFile(f, name)
			require.NoError(t, err)
			out = append(out, fmt.Sprintf("%s=%s", filepath.ToSlash(name), content))
		}
	}
	list("/")
	return out
}

// outcomes crashes with many seeds and counts the results.
func outcomes(t *testing.T, m *vfs.Mem) map[string]int {
	t.Helper()
	out := map[string]int{}
	for seed := range uint64(seeds) {
		left := strings.Join(names(t, m.CrashRandomly(rng(seed))), " ")
		require.Equal(t, left, strings.Join(names(t, m.CrashRandomly(rng(seed))), " "), "a seed repeats")
		out[left]++
	}
	return out
}

func TestNothingUnsyncedSurvivesTheWorstCrash(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, m.MkdirAll("/a/b"))
	require.Empty(t, names(t, m.Crash()), "a directory needs the sync of its parent")
	require.NoError(t, m.SyncDir("/"))
	require.Equal(t, []string{"/a/"}, names(t, m.Crash()))
	require.NoError(t, m.SyncDir("/a"))
	f := create(t, m, "/a/b/f")
	write(t, f, 0, []byte("x"))
	require.NoError(t, f.Sync())
	require.Equal(t, []string{"/a/", "/a/b/"}, names(t, m.Crash()), "the sync of a file makes no name durable")
	require.NoError(t, m.SyncDir("/a/b"))
	require.Equal(t, []string{"/a/", "/a/b/", "/a/b/f=x"}, names(t, m.Crash()))
	write(t, f, 1, []byte("y"))
	require.NoError(t, m.Rename("/a/b", "/a/c"))
	require.Equal(t, []string{"/a/", "/a/b/", "/a/b/f=x"}, names(t, m.Crash()))
	require.NoError(t, m.SyncDir("/a"))
	require.Equal(t, []string{"/a/", "/a/c/", "/a/c/f=x"}, names(t, m.Crash()))
	require.NoError(t, m.RemoveAll("/a"))
	require.Equal(t, []string{"/a/", "/a/c/", "/a/c/f=x"}, names(t, m.Crash()))
	require.NoError(t, m.SyncDir("/"))
	require.Empty(t, names(t, m.Crash()))
}

func TestSyncFSMakesAllDurable(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, m.MkdirAll("/a"))
	write(t, create(t, m, "/a/f"), 0, []byte("x"))
	write(t, create(t, m, "/a/g"), 0, []byte("y"))
	require.NoError(t, m.Rename("/a/g", "/a/h"))
	require.NoError(t, m.SyncFS("/a"))
	require.Equal(t, []string{"/a/", "/a/f=x", "/a/h=y"}, names(t, m.Crash()))
	require.Len(t, outcomes(t, m), 1)
	require.Error(t, m.SyncFS("/none"))
}

// TestRenameIsAtomic replaces a file: after a crash the old or the new one is there,
// never none.
func TestRenameIsAtomic(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, vfs.WriteFile(m, "/", "f", []byte("old")))
	f := create(t, m, "/f.tmp")
	write(t, f, 0, []byte("new"))
	require.NoError(t, f.Sync())
	require.NoError(t, m.Rename("/f.tmp", "/f"))
	got := outcomes(t, m)
	require.Len(t, got, 3)
	require.Positive(t, got["/f=old"], "neither the creation nor the rename")
	require.Positive(t, got["/f=old /f.tmp=new"], "the creation only")
	require.Positive(t, got["/f=new"])
}

// TestNamesSurviveInAnySubset: changes of different names survive independently,
// those of one name in order.
func TestNamesSurviveInAnySubset(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	for _, name := range []string{"/a", "/b"} {
		create(t, m, name)
	}
	require.NoError(t, m.SyncDir("/"))
	require.NoError(t, m.Remove("/a"))
	require.NoError(t, m.Remove("/b"))
	create(t, m, "/c")
	create(t, m, "/d")
	require.NoError(t, m.Remove("/c"))
	got := outcomes(t, m)
	for _, want := range []string{"/a= /b=", "/a=", "/b=", "/a= /b= /c=", "/a= /b= /d=", "/d=", "/c= /d="} {
		require.Positive(t, got[want], want)
	}
	require.Len(t, got, 16)
}

func TestRemoveAllMayStopHalfway(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, m.MkdirAll("/a"))
	create(t, m, "/a/x")
	create(t, m, "/a/y")
	require.NoError(t, m.SyncFS("/"))
	require.NoError(t, m.RemoveAll("/a"))
	got := outcomes(t, m)
	for _, want := range []string{"", "/a/", "/a/ /a/x=", "/a/ /a/y=", "/a/ /a/x= /a/y="} {
		require.Positive(t, got[want], want)
	}
	require.Len(t, got, 5)
}

// TestTornFile overwrites and extends a file: each sector is old or new, and new
// sectors may be zeros; the size is between old and new.
func TestTornFile(t *testing.T) {
	t.Parallel()
	const sector = 512
	m := vfs.NewStrictMem()
	f := create(t, m, "/f")
	write(t, f, 0, bytes.Repeat([]byte("o"), 2*sector))
	require.NoError(t, m.SyncFS("/"))
	write(t, f, 0, bytes.Repeat([]byte("n"), 4*sector))
	sizes, mixes := map[int]bool{}, map[string]bool{}
	for seed := range uint64(seeds) {
		content, err := vfs.ReadFile(m.CrashRandomly(rng(seed)), "/f")
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(content), 2*sector, "a file does not shrink below both sizes")
		require.LessOrEqual(t, len(content), 4*sector)
		sizes[len(content)] = true
		var mix []byte
		for i, s := range slices.Collect(slices.Chunk(content, sector)) {
			require.Equal(t, bytes.Repeat(s[:1], len(s)), s, "a sector is not torn")
			require.Contains(t, []string{"on", "on", "\x00n", "\x00n"}[i], string(s[:1]))
			mix = append(mix, max(s[0], '0'))
		}
		mixes[string(mix)] = true
	}
	require.Greater(t, len(sizes), 10, "sizes in between")
	for _, want := range []string{"oo", "no", "on", "nnnn", "nn0n", "onnn", "no0n"} {
		require.True(t, mixes[want], want)
	}
}

// TestSectorKeepsThePast writes one sector three times: each state is possible.
func TestSectorKeepsThePast(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, m.MkdirAll("/d"))
	f := create(t, m, "/f")
	write(t, f, 0, []byte("a___"))
	require.NoError(t, m.SyncFS("/"))
	write(t, f, 1, []byte("b"))
	write(t, f, 2, []byte("c"))
	got := outcomes(t, m)
	for _, want := range []string{"a___", "ab__", "abc_"} {
		require.Positive(t, got["/d/ /f="+want], want)
	}
	require.Len(t, got, 3)
}

// TestCutFile cuts and rewrites a file: without the cut, none of the new bytes are
// there.
func TestCutFile(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	f := create(t, m, "/f")
	write(t, f, 0, []byte("old old"))
	require.NoError(t, m.SyncFS("/"))
	require.NoError(t, f.Truncate(0))
	write(t, f, 0, []byte("new"))
	got := outcomes(t, m)
	for left := range got {
		content := strings.TrimPrefix(left, "/f=")
		require.True(t, content == "old old" || strings.HasPrefix("new", content) || strings.Trim(content, "\x00") == "", "%q", content)
	}
	for _, want := range []string{"/f=old old", "/f=", "/f=new", "/f=\x00\x00\x00"} {
		require.Positive(t, got[want], "%q", want)
	}
}

func TestForkIsAKill(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, m.MkdirAll("/d"))
	f := create(t, m, "/d/f")
	write(t, f, 0, []byte("x"))
	_, err := m.Lock("/d/.lock")
	require.NoError(t, err)
	killed := m.Fork()
	write(t, f, 0, []byte("later"))
	require.Equal(t, []string{"/d/", "/d/f=x"}, names(t, killed))
	require.Empty(t, names(t, killed.Crash()), "what was not synced still is not")
	_, err = killed.Lock("/d/.lock")
	require.NoError(t, err, "locks end with the process")
	require.NoError(t, killed.SyncFS("/"))
	require.Equal(t, []string{"/d/", "/d/f=x"}, names(t, killed.Crash()))
	require.Empty(t, names(t, m.Crash()))
}

func TestMkdirDurably(t *testing.T) {
	t.Parallel()
	m := vfs.NewStrictMem()
	require.NoError(t, vfs.MkdirDurably(m, "/a/b/c"))
	require.NoError(t, vfs.MkdirDurably(m, "/a/b/d"))
	require.Equal(t, []string{"/a/", "/a/b/", "/a/b/c/", "/a/b/d/"}, names(t, m.Crash()))
}
