package crash_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// disk is an ext4 file system in an image on a tmpfs that is a little larger than
// the image. It can be harmed in four ways:
//
//   - A file fills it.
//   - The kernel is told that it is damaged, and makes it read-only.
//   - A file fills the tmpfs, so that writes to new blocks are refused underneath.
//     ext4 finds out when it writes back: fsync returns EIO, and the page cache
//     still has the bytes.
//   - It is shut down without its journal. That is what a power cut leaves:
//     everything that was not synced is gone.
type disk struct {
	t                *testing.T
	memory, image    string
	dir, loop        string
	filler, overfill string
}

const (
	diskSize   = 512 << 20
	memorySize = 544 << 20
)

// diskReason returns why there can be no such disk here, "" if there can.
func diskReason() string {
	if os.Getenv("BOTE_COMPAT") == "" {
		return "mounts disks: set BOTE_COMPAT=1"
	}
	if os.Geteuid() != 0 {
		return "mounts disks, which only root may"
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return "there are no loop devices"
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount", "losetup", "fstrim", "e2fsck"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "there is no " + tool
		}
	}
	return ""
}

func newDisk(t *testing.T) *disk {
	t.Helper()
	if reason := diskReason(); reason != "" {
		t.Skip(reason)
	}
	d := &disk{t: t, memory: t.TempDir(), dir: t.TempDir()}
	d.image, d.overfill, d.filler = filepath.Join(d.memory, "image"), filepath.Join(d.memory, "overfill"), filepath.Join(d.dir, "filler")
	if out, err := run("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", memorySize), "tmpfs", d.memory); err != nil {
		t.Skipf("cannot mount here: %v: %s", err, out)
	}
	t.Cleanup(func() { d.must("umount", d.memory) })
	require.NoError(t, os.WriteFile(d.image, nil, 0o600))
	require.NoError(t, os.Truncate(d.image, diskSize))
	d.must("mkfs.ext4", "-q", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image)
	// Every block is given memory, and the free blocks lose it again. So writes to the
	// metadata still succeed when the memory is full.
	d.touch()
	d.mount()
	t.Cleanup(d.umount)
	d.must("fstrim", d.dir)
	return d
}

// run runs a program and returns what it printed, for error messages.
func run(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (d *disk) must(args ...string) string {
	d.t.Helper()
	out, err := run(args...)
	require.NoError(d.t, err, "%v: %s", args, out)
	return out
}

// touch overwrites the image with its own content.
func (d *disk) touch() {
	d.t.Helper()
	f, err := os.OpenFile(d.image, os.O_RDWR, 0)
	require.NoError(d.t, err)
	defer func() { require.NoError(d.t, f.Close()) }()
	buf := make([]byte, 1<<20)
	for at := int64(0); at < diskSize; at += int64(len(buf)) {
		_, err := f.ReadAt(buf, at)
		require.NoError(d.t, err)
		_, err = f.WriteAt(buf, at)
		require.NoError(d.t, err)
	}
}

func (d *disk) mount() {
	d.t.Helper()
	d.must("mount", "-o", "loop,errors=remount-ro,discard", d.image, d.dir)
	device := d.must("losetup", "-n", "-O", "NAME", "-j", d.image)
	d.loop = filepath.Base(strings.TrimSpace(device))
	// If the tmpfs accepts only some pages of a write, the loop device reports
	// success: it would lie, as no disk should. So it gets one page at a time.
	require.NoError(d.t, os.WriteFile(filepath.Join("/sys/block", d.loop, "queue/max_sectors_kb"), []byte("4"), 0))
}

func (d *disk) umount() {
	d.t.Helper()
	d.must("umount", d.dir)
}

// repair repairs the disk and mounts it again.
func (d *disk) repair() {
	d.t.Helper()
	if out, err := run("e2fsck", "-p", d.image); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(d.t, err, &exit)
		require.Equal(d.t, 1, exit.ExitCode(), "e2fsck: %s", out) // 1: errors corrected
	}
	d.mount()
}

// fill fills the disk completely.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(d.filler)
	require.NoError(d.t, err)
	defer func() { require.NoError(d.t, f.Close()) }()
	at := int64(0)
	for size := int64(64 << 20); size >= 4096; {
		err := unix.Fallocate(int(f.Fd()), 0, at, size)
		if errors.Is(err, unix.ENOSPC) {
			size /= 2
			continue
		}
		require.NoError(d.t, err)
		at += size
	}
}

// fail makes writes to new blocks fail underneath the file system.
func (d *disk) fail() {
	d.t.Helper()
	d.must("fstrim", d.dir)
	f, err := os.Create(d.overfill)
	require.NoError(d.t, err)
	defer func() { require.NoError(d.t, f.Close()) }()
	for err == nil {
		_, err = f.Write(make([]byte, 1<<20))
	}
	require.ErrorIs(d.t, err, unix.ENOSPC)
}

// cut ends the disk as a power cut does: what has not reached it never will.
func (d *disk) cut() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	require.NoError(d.t, err)
	defer func() { require.NoError(d.t, f.Close()) }()
	const (
		ext4Shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
		noLogFlush   = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	require.NoError(d.t, unix.IoctlSetPointerInt(int(f.Fd()), ext4Shutdown, noLogFlush))
}

func diskFaults() []fault {
	out := []fault{{name: "full disk", run: fullDisk}, {name: "read-only disk", run: readOnlyDisk}, {name: "failing disk", run: failingDisk}, {name: "power cut", run: powerCut}}
	for i := range out {
		out[i].disk, out[i].reason = true, diskReason()
	}
	return out
}

// fullDisk fills the disk and frees it again; the broker stays up.
func fullDisk(l *lab) *progress {
	l.disk.fill()
	l.refuses()
	p := l.h.expect(time.Now(), l.steady)
	require.NoError(l.t, os.Remove(l.disk.filler))
	return p
}

// readOnlyDisk makes the kernel take the disk for damaged; a restart on the
// repaired disk ends that. No sync may be under way at that moment: ext4 (Linux
// 6.18) lets some of them succeed although their bytes are not on the disk, and no
// second sync, sync of the volume or change of a time finds that out.
func readOnlyDisk(l *lab) *progress {
	l.halt(func() {
		require.NoError(l.t, os.WriteFile(filepath.Join("/sys/fs/ext4", l.disk.loop, "trigger_fs_error"), []byte("1"), 0))
	})
	l.refuses()
	l.d.kill()
	l.disk.umount()
	l.disk.repair()
	return l.restart()
}

// failingDisk makes the disk lose what is written; a restart on a sound disk ends
// that.
func failingDisk(l *lab) *progress {
	l.disk.fail()
	l.refuses()
	l.d.kill()
	if l.rng.IntN(2) == 0 { // what the kernel still has in memory is lost too
		l.disk.umount()
		require.NoError(l.t, os.Remove(l.disk.overfill))
	} else {
		require.NoError(l.t, os.Remove(l.disk.overfill))
		l.disk.umount()
	}
	l.disk.repair()
	return l.restart()
}

// refuses checks, for a while, that a broker on a harmed disk accepts nothing and
// still returns everything.
func (l *lab) refuses() {
	l.t.Helper()
	l.refused += l.probe.untilRefused(l.t)
	l.probe.reads(l.t, l.d.addr)
	l.pause(100*time.Millisecond, time.Second)
	l.refused += l.probe.untilRefused(l.t)
	l.probe.reads(l.t, l.d.addr)
	require.True(l.t, l.d.running())
}

// powerCut shuts the disk down, before or after it kills the broker. A broker that
// still runs meets a disk that is gone. But no sync may be under way when the disk
// goes: ext4 lets some of them succeed, which after a real power cut the machine
// could not report to anybody.
func powerCut(l *lab) *progress {
	if l.rng.IntN(2) == 0 {
		l.d.kill()
		l.disk.cut()
	} else {
		l.halt(l.disk.cut)
		require.NoError(l.t, l.d.cmd.Process.Signal(syscall.Signal(0)))
		l.pause(time.Millisecond, 200*time.Millisecond)
		l.d.kill()
	}
	l.disk.umount()
	l.disk.repair()
	return l.restart()
}
