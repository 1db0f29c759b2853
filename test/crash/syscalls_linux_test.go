package crash_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSystemCallsBeforeTheAnswer traces the real binary. Every file that a request
// wrote to, and every directory that got a new name, must be synced after that and
// before the answer is written to the socket. No test inside the process can see
// that: it would still pass if vfs.OS synced nothing.
func TestSystemCallsBeforeTheAnswer(t *testing.T) {
	if os.Getenv("BOTE_COMPAT") == "" {
		t.Skip("traces the broker: set BOTE_COMPAT=1")
	}
	installStrace(t)
	data := t.TempDir()
	d := newDaemon(t, data)
	trace := filepath.Join(t.TempDir(), "trace")
	d.command = append([]string{
		"strace", "-f", "-yy", "-s", "0", "--seccomp-bpf", "-o", trace,
		"-e", "trace=write,writev,pwrite64,sendfile,sendto,sendmsg,fsync,fdatasync,syncfs,openat,mkdirat,renameat,renameat2,unlinkat",
	}, d.command...)
	d.start(t)
	c := dialPlain(t, d.addr)

	c.create("traced", 1)
	c.create("wide", manyPartitions)
	for range 5 {
		c.produce("traced", 1)
	}
	c.produce("wide", manyPartitions)
	d.terminate(t)

	events := readTrace(t, trace)
	answers := 0
	for i, e := range events {
		if e.call != "answer" || !strings.Contains(e.target, c.conn.LocalAddr().String()) {
			continue
		}
		require.Empty(t, unsynced(events[:i], data), "before answer %d", answers)
		answers++
	}
	require.Equal(t, 8, answers)
	for call, target := range map[string]string{
		"data": "traced-0/00000000000000000000.log", "synced fdatasync": "traced-0/00000000000000000000.log", "synced syncfs": filepath.Base(data),
	} {
		require.True(t, slices.ContainsFunc(events, func(e event) bool { return e.call == call && strings.HasSuffix(e.target, target) }), "the trace has %s of %s", call, target)
	}
}

// manyPartitions is so many that one sync of the volume syncs them all.
const manyPartitions = 64

func installStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err == nil {
		return
	}
	for _, args := range [][]string{{"update", "-q"}, {"install", "-q", "-y", "--no-install-recommends", "strace"}} {
		cmd := exec.CommandContext(t.Context(), "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// terminate ends the broker's process, whose parent is the tracer.
func (d *daemon) terminate(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pkill", "-TERM", "-P", fmt.Sprint(d.cmd.Process.Pid)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the broker does not end")
	}
}

// plainConn sends one request at a time, so that each answer belongs to what was
// traced before it.
type plainConn struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	next int32
	form *kmsg.RequestFormatter
}

func dialPlain(t *testing.T, addr string) *plainConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // the broker has ended
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return &plainConn{t: t, conn: conn, in: bufio.NewReader(conn), form: kmsg.NewRequestFormatter(kmsg.FormatterClientID("traced"))}
}

func (c *plainConn) ask(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	c.send(req)
	return c.receive(req)
}

func (c *plainConn) send(req kmsg.Request) {
	c.t.Helper()
	c.next++
	_, err := c.conn.Write(c.form.AppendRequest(nil, req, c.next))
	require.NoError(c.t, err)
}

func (c *plainConn) receive(req kmsg.Request) kmsg.Response {
	c.t.Helper()
	var size [4]byte
	_, err := io.ReadFull(c.in, size[:])
	require.NoError(c.t, err)
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(c.in, answer)
	require.NoError(c.t, err)
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	body := answer[4:]
	if resp.IsFlexible() {
		body = body[1:]
	}
	require.NoError(c.t, resp.ReadFrom(body))
	return resp
}

func (c *plainConn) create(topic string, partitions int32) {
	c.t.Helper()
	req, rt := kmsg.NewPtrCreateTopicsRequest(), kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, partitions, 1
	req.Topics, req.TimeoutMillis = append(req.Topics, rt), 10_000
	req.SetVersion(5)
	created := c.ask(req).(*kmsg.CreateTopicsResponse)
	require.NoError(c.t, kerr.ErrorForCode(created.Topics[0].ErrorCode))
}

// produce sends a record to each partition of a topic, in one request.
func (c *plainConn) produce(topic string, partitions int32) {
	c.t.Helper()
	req, rt := kmsg.NewPtrProduceRequest(), kmsg.NewProduceRequestTopic()
	req.Acks, req.TimeoutMillis = -1, 10_000
	req.SetVersion(9)
	rt.Topic = topic
	for p := range partitions {
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Partition, rp.Records = p, batch([]byte("x"))
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	for _, p := range c.ask(req).(*kmsg.ProduceResponse).Topics[0].Partitions {
		require.NoError(c.t, kerr.ErrorForCode(p.ErrorCode))
	}
}

// event is a system call of the broker, in the order of the trace. "data" is a write
// to a file and "name" a change of a directory, both from when they are done. "sync"
// is the beginning of a sync and "synced" its end. "answer" is a write to a socket,
// from when it begins.
type event struct {
	call, target string
	began        int // for synced: the index at which the sync began
}

var (
	traced   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)$`)
	resumed  = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	handle   = regexp.MustCompile(`^\d+<(.*?)>(?:,|\)| )`)
	quoted   = regexp.MustCompile(`"([^"]*)"`)
	answered = regexp.MustCompile(`= (-?\d+)`)
)

// readTrace reads what strace wrote.
func readTrace(t *testing.T, file string) []event {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	type begun struct {
		call, args string
		at         int
	}
	var events []event
	open := map[string]begun{}
	end := func(b begun, result string) {
		m := answered.FindStringSubmatch(result)
		if m == nil || strings.HasPrefix(m[1], "-") {
			return // the call failed, or the process ended
		}
		target := ""
		if h := handle.FindStringSubmatch(b.args); h != nil {
			target = h[1]
		}
		switch b.call {
		case "fsync", "fdatasync", "syncfs":
			events = append(events, event{call: "synced " + b.call, target: target, began: b.at})
		case "pwrite64", "write", "writev":
			if filepath.IsAbs(target) {
				events = append(events, event{call: "data", target: target})
			}
		case "openat", "mkdirat", "renameat", "renameat2", "unlinkat":
			if b.call == "openat" && !strings.Contains(b.args, "O_CREAT") {
				return
			}
			for _, q := range quoted.FindAllStringSubmatch(b.args, -1) {
				if passing(q[1]) {
					continue
				}
				events = append(events, event{call: "name", target: filepath.Dir(q[1])})
			}
		}
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		if m := resumed.FindStringSubmatch(line); m != nil {
			end(open[m[1]], m[3])
			delete(open, m[1])
			continue
		}
		m := traced.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		b := begun{call: m[2], args: m[3], at: len(events)}
		if h := handle.FindStringSubmatch(b.args); h != nil && strings.HasPrefix(h[1], "TCP:") {
			events = append(events, event{call: "answer", target: h[1]})
			continue
		}
		if strings.Contains(m[3], "<unfinished ...>") {
			open[m[1]] = b
			continue
		}
		at := strings.LastIndex(m[3], " = ")
		end(b, m[3][max(0, at):])
	}
	return events
}

// unsynced lists the broker's files and directories of which a power cut would take
// something back: no sync that began after a change has covered it.
func unsynced(events []event, data string) []string {
	dirty := map[string]int{}
	for i, e := range events {
		switch {
		case (e.call == "data" || e.call == "name") && strings.HasPrefix(e.target, data) && !passing(e.target):
			dirty[e.target] = i
		case e.call == "synced syncfs":
			for target, at := range dirty {
				if at < e.began {
					delete(dirty, target)
				}
			}
		case strings.HasPrefix(e.call, "synced"):
			if at, ok := dirty[e.target]; ok && at < e.began {
				delete(dirty, e.target)
			}
		}
	}
	var left []string
	for target := range dirty {
		left = append(left, target)
	}
	return left
}

// passing reports whether a file is one that a start proves or rebuilds, and that no
// answer waits for.
func passing(target string) bool {
	for _, suffix := range []string{".index", ".timeindex", ".tmp", ".lock", "-checkpoint"} {
		if strings.HasSuffix(target, suffix) {
			return true
		}
	}
	return false
}
