package broker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/botehq/bote/bench/bare"
)

// Bare is the bare program. It shows what the kernel alone costs. At its second address
// it sends files by sendfile.
type Bare struct {
	Binary string // the benchmark itself
	Sync   bool
}

// Prepare makes the directory data in dir.
func (Bare) Prepare(_ context.Context, dir string, _ int) error {
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o750); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	return nil
}

// Command serves the directory data in dir.
func (b Bare) Command(dir string, port int) *exec.Cmd {
	o := bare.Options{Dir: filepath.Join(dir, "data"), Host: host, Port: port, Sync: b.Sync}
	return exec.Command(b.Binary, append([]string{"bare"}, o.Args()...)...) //nolint:gosec,noctx // it lives from Start to Kill
}
