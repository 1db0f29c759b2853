package commitlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/storage/vfs"
)

// Checkpoint files of a data directory; the names reach disk. Each holds a
// version line, a count, and "topic partition offset" lines.
const (
	recoveryPointFile = "recovery-point-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	highWatermarkFile = "replication-offset-checkpoint"
)

// checkpoint maps partition directory names to offsets.
type checkpoint map[string]int64

func (c checkpoint) encode() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "0\n%d\n", len(c))
	for _, dir := range slices.Sorted(maps.Keys(c)) {
		topic, partition, ok := splitDir(dir)
		if ok {
			fmt.Fprintf(&out, "%s %d %d\n", topic, partition, c[dir])
		}
	}
	return out.Bytes()
}

// splitDir takes a partition directory's name apart.
func splitDir(dir string) (topic string, partition int32, ok bool) {
	i := strings.LastIndexByte(dir, '-')
	if i <= 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(dir[i+1:], 10, 32)
	if err != nil || n < 0 {
		return "", 0, false
	}
	return dir[:i], int32(n), true
}

func parseCheckpoint(raw []byte) (checkpoint, error) {
	in := bufio.NewScanner(bytes.NewReader(raw))
	line := func() string {
		if in.Scan() {
			return in.Text()
		}
		return ""
	}
	if version := line(); version != "0" {
		return nil, fmt.Errorf("version %q is not understood", version)
	}
	n, err := strconv.Atoi(line())
	if err != nil {
		return nil, fmt.Errorf("count: %w", err)
	}
	c := checkpoint{}
	for in.Scan() {
		fields := strings.Split(in.Text(), " ")
		if len(fields) != 3 || fields[0] == "" {
			return nil, fmt.Errorf("line %q is not understood", in.Text())
		}
		partition, perr := strconv.ParseUint(fields[1], 10, 31)
		offset, oerr := strconv.ParseUint(fields[2], 10, 63)
		if perr != nil || oerr != nil {
			return nil, fmt.Errorf("line %q is not understood", in.Text())
		}
		c[dirName(fields[0], int32(partition))] = int64(offset)
	}
	if len(c) != n {
		return nil, fmt.Errorf("%d entries, not %d", len(c), n)
	}
	return c, nil
}

// readCheckpoint returns an empty checkpoint if the file is missing. A damaged file
// is an error; the caller decides whether it matters: recovery points only save
// work.
func readCheckpoint(f vfs.FS, dir, name string) (checkpoint, error) {
	raw, err := vfs.ReadFile(f, filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return checkpoint{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	c, err := parseCheckpoint(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return c, nil
}
