package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sys/unix"
)

func processFaults() []fault {
	return []fault{{name: "SIGSTOP", run: freeze}, {name: "no open files", run: noFiles}}
}

// freeze stops the process for a while; the process does not notice.
func freeze(l *lab) *progress {
	require.NoError(l.t, l.d.cmd.Process.Signal(syscall.SIGSTOP))
	most := 1500 * time.Millisecond
	if l.long && l.rng.IntN(10) == 0 {
		most = time.Minute
	}
	l.pause(200*time.Millisecond, most)
	p := l.h.expect(time.Now(), l.steady)
	require.NoError(l.t, l.d.cmd.Process.Signal(syscall.SIGCONT))
	return p
}

// halt stops the process, waits until no thread is in a system call, calls do, and
// lets the process go on.
func (l *lab) halt(do func()) {
	l.t.Helper()
	pid := l.d.cmd.Process.Pid
	require.NoError(l.t, l.d.cmd.Process.Signal(syscall.SIGSTOP))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !allStopped(pid) {
		<-tick.C
	}
	do()
	require.NoError(l.t, l.d.cmd.Process.Signal(syscall.SIGCONT))
}

// allStopped reports whether the kernel counts every thread of a process as stopped.
func allStopped(pid int) bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if i := bytes.LastIndexByte(text, ')'); err != nil || i < 0 || !bytes.HasPrefix(text[i:], []byte(") T")) {
			return false
		}
	}
	return true
}

// noFiles lowers the process's limit so that it can open at most three more files,
// while connections, topics and segments need some. Afterwards everything works, the
// new topic too.
func noFiles(l *lab) *progress {
	pid := l.d.cmd.Process.Pid
	var old unix.Rlimit
	require.NoError(l.t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old))
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	require.NoError(l.t, err)
	few := unix.Rlimit{Cur: min(uint64(len(open)+l.rng.IntN(4)), old.Max), Max: old.Max}
	require.NoError(l.t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &few, nil))

	crowd := "crowd-" + strconv.Itoa(l.rng.Int())
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	_, err = kadm.NewClient(l.admin).CreateTopic(ctx, 8, 1, nil, crowd) // any answer will do
	var refusal *kerr.Error
	if err != nil {
		require.ErrorAs(l.t, err, &refusal, "topics are refused in Kafka's words")
	}
	var conns []net.Conn
	for range 5 {
		if c, err := net.DialTimeout("tcp", l.d.addr, time.Second); err == nil {
			conns = append(conns, c)
		}
	}
	l.pause(200*time.Millisecond, time.Second)
	for _, c := range conns {
		require.NoError(l.t, c.Close())
	}
	p := l.h.expect(time.Now(), l.steady)
	require.NoError(l.t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil))
	l.useTopic(ctx, crowd)
	return p
}

// useTopic checks that a topic that was created when files were short can be used
// and deleted.
func (l *lab) useTopic(ctx context.Context, name string) {
	l.t.Helper()
	admin := kadm.NewClient(l.admin)
	if _, err := admin.CreateTopic(ctx, 8, 1, nil, name); err != nil {
		require.ErrorIs(l.t, err, kerr.TopicAlreadyExists)
	}
	client, err := kgo.NewClient(patient(l.d.addr, kgo.DefaultProduceTopic(name), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(l.t, err)
	defer client.Close()
	for p := range 8 {
		require.NoError(l.t, client.ProduceSync(ctx, &kgo.Record{Partition: int32(p), Value: []byte("v")}).FirstErr())
	}
	_, err = admin.DeleteTopic(ctx, name)
	require.NoError(l.t, err)
}
