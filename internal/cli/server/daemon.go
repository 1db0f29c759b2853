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

// kafka-server-start -daemon starts the same command in a session of its own. Kafka's script returns at once, whatever
// becomes of the server; this one returns when the server takes connections, or with the reason why it does not.

// readyVariable tells a daemon the address to report to.
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
	// Appending leaves the file of a daemon that runs already as it is.
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
			_ = conn.Close() // that it came is the report
			close(ready)
		}
	}()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return errors.New("interrupted; the server goes on starting")
	case <-ended:
		return fmt.Errorf("the server did not start; %s says:\n%s", out.Name(), lastLines(out, before))
	}
}

// launch starts this program as a daemon. What it returns is closed when the daemon ends.
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
		_ = cmd.Wait() // its output tells why
	}()
	return over, nil
}

// reportReady tells the command that started this daemon, if one did, that connections are taken.
func reportReady(ctx context.Context, s *tool.Streams) {
	addr := s.Getenv(readyVariable)
	if addr == "" {
		return
	}
	if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr); err == nil { // else it was interrupted
		_ = conn.Close()
	}
}

// lastLines are the ERROR line of a failed start with what stands below it, or else all that was written since.
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
