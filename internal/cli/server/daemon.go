package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/botehq/bote/internal/cli/tool"
)

// kafka-server-start -daemon starts the same command in a session of its own. Kafka's script returns at once, even if the
// server then fails. This command waits: it returns when the server accepts connections, or with the reason of the failure.

// readyVariable is the environment variable with the address to which the daemon reports that it is ready.
const readyVariable = "BOTE_READY_ADDRESS"

// startDaemon starts a daemon and returns the exit code. What the daemon prints goes to kafkaServer.out in LOG_DIR.
func startDaemon(ctx context.Context, s *tool.Streams, args []string) int {
	if err := daemon(ctx, s, args); err != nil {
		s.Remark("%s\n", err)
		return tool.ExitError
	}
	return tool.ExitOK
}

func daemon(ctx context.Context, s *tool.Streams, args []string) error {
	dir := s.Getenv("LOG_DIR")
	if dir == "" {
		dir = "logs"
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("create log directory: %w", err)
	}
	// Append: a daemon that already runs may be writing to the same file.
	out, err := os.OpenFile(filepath.Join(dir, "kafkaServer.out"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o640)
	if err != nil {
		return fmt.Errorf("create output file: %w", err)
	}
	defer out.Close()
	before, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("find the end of the output file: %w", err)
	}
	reports, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the server's report: %w", err)
	}
	defer reports.Close()
	ended, err := launch(append([]string{"kafka-server-start"}, args...), reports.Addr().String(), out)
	if err != nil {
		return err
	}
	ready := make(chan struct{})
	go func() {
		if conn, err := reports.Accept(); err == nil {
			_ = conn.Close() // the connection itself is the report
			close(ready)
		}
	}()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return errors.New("interrupted; the server is still starting in the background")
	case <-ended:
		return fmt.Errorf("the server did not start; %s says:\n%s", out.Name(), lastLines(out, before))
	}
}

// launch starts this program as a daemon. The channel it returns is closed when the daemon ends.
func launch(args []string, report string, out *os.File) (ended <-chan struct{}, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), self, args...)
	cmd.Stdout, cmd.Stderr = out, out
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "BOTE_TOOL=") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, readyVariable+"="+report)
	detached(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = cmd.Wait() // the daemon's output says why it ended
	}()
	return over, nil
}

// reportReady tells the command that started this daemon, if there is one, that the broker accepts connections.
func reportReady(ctx context.Context, s *tool.Streams) {
	addr := s.Getenv(readyVariable)
	if addr == "" {
		return
	}
	if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr); err == nil { // else that command was interrupted
		_ = conn.Close()
	}
}

// lastLines returns the output of a failed start from its first ERROR line on, or all output from the offset since on if there
// is no such line.
func lastLines(out *os.File, since int64) string {
	const most = 64 << 10
	text, err := io.ReadAll(io.NewSectionReader(out, since, most))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i, line := range lines {
		if strings.Contains(line, " ERROR ") {
			return strings.Join(lines[i:], "\n")
		}
	}
	return strings.Join(lines, "\n")
}
