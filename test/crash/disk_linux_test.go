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

// disk is an ext4 file system in an image in a tmpfs that is a little larger. So it
// can be harmed in four ways: a file fills it; the kernel is told that it is damaged
// and makes it read-only; a file fills the tmpfs, so that what is written to new
// blocks is refused underneath, which ext4 learns when it writes back (EIO from
// fsync, and a page cache that says otherwise); and it is shut down without its
// journal, which is what a power cut leaves: all that was not synced is gone.
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

// diskReason says why there can be no such disk.
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
	// Every block is given memory and the free ones lose it again, so that writes to
	// the metadata go on when the memory is full.
	d.touch()
	d.mount()
	t.Cleanup(d.umount)
	d.must("fstrim", d.dir)
	return d
}

// run runs a program; what it printed is for the error.
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

// touch writes the image over with itself.
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
	// A write of several pages of which the tmpfs takes only some is a success to the
	// loop device: it would lie, as no disk should. So it gets one page at a time.
	require.NoError(d.t, os.WriteFile(filepath.Join("/sys/block", d.loop, "queue/max_sectors_kb"), []byte("4"), 0))
}

func (d *disk) umount() {
	d.t.Helper()
	d.must("umount", d.dir)
}

// repair mounts the disk anew, from what is on it.
func (d *disk) repair() {
	d.t.Helper()
	if out, err := run("e2fsck", "-p", d.image); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(d.t, err, &exit)
		require.Equal(d.t, 1, exit.ExitCode(), "e2fsck: %s", out) // 1: errors corrected
	}
	d.mount()
}

// fill takes all the room there is.
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

// fail lets what is written to new blocks fail underneath the file system.
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

// cut ends the disk as a power cut does: nothing that is not on it will be.
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

// fullDisk fills the disk and frees it; the broker stays up.
func fullDisk(l *lab) *progress {
	l.disk.fill()
	l.refuses()
	p := l.h.expect(time.Now(), l.steady)
	require.NoError(l.t, os.Remove(l.disk.filler))
	return p
}

// readOnlyDisk has the kernel take the disk for damaged; a restart on a repaired
// one ends that. No sync is under way meanwhile: ext4 (Linux 6.18) lets some of
// those succeed that are, without their bytes on the disk, and no second sync,
// sync of the volume or change of a time finds that out.
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

// failingDisk loses what is written; a restart on one that does not ends that.
func failingDisk(l *lab) *progress {
	l.disk.fail()
	l.refuses()
	l.d.kill()
	if l.rng.IntN(2) == 0 { // what the kernel has still in memory is lost too
		l.disk.umount()
		require.NoError(l.t, os.Remove(l.disk.overfill))
	} else {
		require.NoError(l.t, os.Remove(l.disk.overfill))
		l.disk.umount()
	}
	l.disk.repair()
	return l.restart()
}

// refuses makes sure that nothing is taken and everything given while the disk is
// harmed, for a while.
func (l *lab) refuses() {
	l.t.Helper()
	l.refused += l.probe.untilRefused(l.t)
	l.probe.reads(l.t, l.d.addr)
	l.pause(100*time.Millisecond, time.Second)
	l.refused += l.probe.untilRefused(l.t)
	l.probe.reads(l.t, l.d.addr)
	require.True(l.t, l.d.running())
}

// powerCut takes the disk from under the broker, or the broker just before. Who is
// still there meets a disk that is gone, but no sync may be under way when it goes:
// ext4 lets some of those succeed, which the machine of a real power cut cannot
// tell anybody any more.
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
