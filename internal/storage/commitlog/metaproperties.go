package commitlog

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/storage/vfs"
)

// metaFile says which cluster and node a data directory belongs to. It reaches
// disk, and Kafka's tools read it.
const metaFile = "meta.properties"

// Identity is the content of meta.properties.
type Identity struct {
	ClusterID   string
	NodeID      int32
	DirectoryID string
}

// ErrNotFormatted is returned by ReadIdentity for an empty or missing directory.
var ErrNotFormatted = errors.New("data directory is not formatted")

// ErrForeign is wrapped by the error of ReadIdentity for a directory that has files
// but no identity: formatting it could destroy somebody's data.
var ErrForeign = errors.New("directory holds something else")

// ReadIdentity reads the identity of a data directory.
func ReadIdentity(f vfs.FS, dir string) (Identity, error) {
	raw, err := vfs.ReadFile(f, filepath.Join(dir, metaFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Identity{}, whyMissing(f, dir)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read %s: %w", metaFile, err)
	}
	values := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	node, err := strconv.ParseInt(values["node.id"], 10, 32)
	if err != nil || values["cluster.id"] == "" || values["version"] != "1" {
		return Identity{}, fmt.Errorf("%s in %s is not understood: version 1, cluster.id and node.id are needed", metaFile, dir)
	}
	return Identity{ClusterID: values["cluster.id"], NodeID: int32(node), DirectoryID: values["directory.id"]}, nil
}

func whyMissing(f vfs.FS, dir string) error {
	entries, err := f.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list %s: %w", dir, err)
	}
	for _, e := range entries {
		if e.Name != lockFile && e.Name != "lost+found" {
			return fmt.Errorf("%w: %s has %s but no %s; choose an empty directory for log.dirs", ErrForeign, dir, e.Name, metaFile)
		}
	}
	return ErrNotFormatted
}

// WriteIdentity formats a data directory.
func WriteIdentity(f vfs.FS, dir string, id Identity) error {
	if err := vfs.MkdirDurably(f, dir); err != nil {
		return fmt.Errorf("create data directory: %w", err)
	}
	text := fmt.Sprintf("#\nversion=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", id.ClusterID, id.NodeID, id.DirectoryID)
	if err := vfs.WriteFile(f, dir, metaFile, []byte(text)); err != nil {
		return fmt.Errorf("write %s: %w", metaFile, err)
	}
	return nil
}
