package broker

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Bote is a bote program with a setting of log.flush.
type Bote struct {
	Binary string
	Flush  string
}

// Prepare does nothing: bote formats an empty directory when it starts.
func (Bote) Prepare(context.Context, string, int) error { return nil }

// Command serves the directory data in dir.
func (b Bote) Command(dir string, port int) *exec.Cmd {
	return exec.Command(b.Binary, "serve", "--data-dir", filepath.Join(dir, "data"), "--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), //nolint:gosec,noctx // it lives from Start to Kill
		"--set", "log.flush="+b.Flush, "--set", "group.initial.rebalance.delay.ms=0")
}

// Build compiles bote from the module in the current directory into a file.
func Build(ctx context.Context, file string) error {
	out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", file, "github.com/botehq/bote/cmd/bote").CombinedOutput() //nolint:gosec // a file of ours
	if err != nil {
		return fmt.Errorf("build bote: %w: %s", err, out)
	}
	return nil
}

// Revision returns which state of the tree is measured.
func Revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
