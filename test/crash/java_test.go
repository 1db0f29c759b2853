package crash_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// startJava starts Apache Kafka's client if BOTE_COMPAT=1: an idempotent producer,
// and a consumer with a group of its own.
func (l *lab) startJava(ctx, reading context.Context) {
	l.t.Helper()
	if os.Getenv("BOTE_COMPAT") != "1" {
		return
	}
	w := &witness{h: l.h, name: "java", group: "java-readers"}
	w.number, w.tail = l.h.producer(w.name, true), l.h.tail(w.group)
	l.steady, l.groups, l.tails = append(l.steady, w.number), append(l.groups, w.group), append(l.tails, w.tail)
	cmd := exec.CommandContext(ctx, "java", "-Xmx300m", "-Dlog4j2.configurationFile="+filepath.Join("..", "compat", "java", "log4j2.properties"),
		"-cp", javaClasses(l.t), "Witness", l.d.addr, topic, strconv.Itoa(partitions), w.name, w.group, string(padding))
	complaints := filepath.Join(l.t.TempDir(), "java")
	out, err := os.Create(complaints)
	require.NoError(l.t, err)
	cmd.Stderr = out
	in, err := cmd.StdinPipe()
	require.NoError(l.t, err)
	lines, err := cmd.StdoutPipe()
	require.NoError(l.t, err)
	require.NoError(l.t, cmd.Start())
	require.NoError(l.t, out.Close())
	flushed, heard := make(chan struct{}), make(chan struct{})
	l.clients.Go(func() {
		select {
		case <-l.stop:
		case <-ctx.Done():
		}
		_, _ = io.WriteString(in, "stop\n") // if the process has ended, flushed stays open but heard is closed
		select {
		case <-flushed:
		case <-heard:
			if ctx.Err() == nil {
				l.t.Errorf("the Java client ended before its producer was flushed")
			}
		}
	})
	l.readers.Go(func() {
		defer close(heard)
		if err := w.hear(lines, flushed); err != nil {
			l.t.Errorf("Java client: %v", err)
		}
	})
	l.readers.Go(func() {
		<-reading.Done()
		_ = in.Close() // the process may have ended
		<-heard
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			text, _ := os.ReadFile(complaints)
			l.t.Errorf("Java client: %v: %s", err, text[max(0, len(text)-2000):])
		}
	})
}

// javaClasses compiles the client and returns its class path.
func javaClasses(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", filepath.Join("java", "install.sh")).CombinedOutput()
	require.NoError(t, err, string(out))
	cache := os.Getenv("BOTE_COMPAT_CACHE")
	if cache == "" {
		dir, err := os.UserCacheDir()
		require.NoError(t, err)
		cache = filepath.Join(dir, "bote-compat")
	}
	return filepath.Join(cache, "java", "crash-classes") + string(filepath.ListSeparator) + filepath.Join(cache, "java", "libs", "*")
}

// witness records what a client in another process is told.
type witness struct {
	h           *history
	name, group string
	number      int32
	tail        int
}

// hear reads lines until the end.
func (w *witness) hear(lines io.Reader, flushed chan<- struct{}) error {
	read := w.h.reader()
	scan := bufio.NewScanner(lines)
	for scan.Scan() {
		line := scan.Text()
		if line == "flushed" {
			close(flushed)
			continue
		}
		if err := w.note(read, line); err != nil {
			return err
		}
	}
	return scan.Err()
}

func (w *witness) note(read reader, line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var a, b int64
	switch word {
	case "sent":
		if _, err := fmt.Sscan(rest, &a); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		w.h.sentUpTo(w.number, int(a))
		return nil
	case "acked", "committed", "saw":
		if _, err := fmt.Sscan(rest, &a, &b); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
	default:
		return fmt.Errorf("line %q: unknown", line)
	}
	switch word {
	case "acked":
		w.h.acked(w.number, int32(a), b)
	case "committed":
		w.h.committed(w.group, int(a), b)
	default:
		parts := strings.SplitN(rest, " ", 3)
		w.h.saw(w.tail, int(a), read.entry(b, []byte(parts[2])))
	}
	return nil
}
