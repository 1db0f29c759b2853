package format

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/botehq/bote/internal/cli/argp"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/storage/vfs"
)

// errQuiet ends a command with exit code 1 after it has printed its messages.
var errQuiet = errors.New("said already")

const (
	quorumDir          = "__cluster_metadata-0"
	quorumSnapshotFile = "00000000000000000000-0000000000.checkpoint"
)

// BootstrapFile is the name of the snapshot with which Kafka's metadata begins.
const BootstrapFile = "bootstrap.checkpoint"

// formatting is one run of format.
type formatting struct {
	s        *tool.Streams
	server   config.Server
	cluster  string
	features featureLevels
	users    []scramUser
	// dynamic means that the metadata log stores the quorum. voters are the members of such a quorum.
	dynamic bool
	voters  []voter
}

func formatAll(s *tool.Streams, set *argp.Set) error {
	server, err := serverOf(set)
	if err != nil {
		return err
	}
	f := &formatting{s: s, server: server, cluster: set.Text("cluster-id", "")}
	quorumFlag := set.Has("standalone") || set.Has("initial-controllers") || set.Has("no-initial-controllers")
	if f.features, err = featuresFor(set.Text("release-version", ""), set.Values["feature"], quorumFlag, len(server.QuorumVoters) > 0); err != nil {
		return err
	}
	if err := f.readQuorum(set); err != nil {
		return err
	}
	for _, spec := range set.Values["add-scram"] {
		u, err := parseScram(spec)
		if err != nil {
			return err
		}
		f.users = append(f.users, u)
	}
	return f.run(set.Has("ignore-formatted"))
}

// readQuorum finds the voters. A static quorum has its voters in the settings, a dynamic one in the metadata log.
func (f *formatting) readQuorum(set *argp.Set) (err error) {
	static := len(f.server.QuorumVoters) > 0
	f.dynamic = set.Has("standalone") || set.Has("initial-controllers")
	switch {
	case static && f.dynamic:
		return exception.New(exception.Terse, "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify controller.quorum.bootstrap.servers instead.")
	case set.Has("standalone") && !f.server.Controller:
		return exception.New(exception.Terse, "You can only use --standalone on a controller.")
	case set.Has("standalone"):
		f.voters, err = f.standalone()
	case set.Has("initial-controllers"):
		f.voters, err = parseVoters(set.Text("initial-controllers", ""))
	case f.server.Controller && !static && !set.Has("no-initial-controllers"):
		return exception.New(exception.Terse, "Because controller.quorum.voters is not set on this controller, you must specify one of the following: --standalone, --initial-controllers, or --no-initial-controllers.")
	}
	return err
}

// standalone returns this node as the only voter, with the address of its controller listener.
func (f *formatting) standalone() ([]voter, error) {
	directory, err := base64.RawURLEncoding.DecodeString(newUUID())
	if err != nil {
		return nil, fmt.Errorf("make a directory ID: %w", err)
	}
	v := voter{id: f.server.NodeID, host: "localhost", directory: [16]byte(directory)}
	for _, l := range slices.Concat(f.server.Listeners, f.server.Advertised) {
		if !l.Controller {
			continue
		}
		v.port = uint16(l.Port)
		if l.Host != "" {
			v.host = l.Host
		}
	}
	return []voter{v}, nil
}

func (f *formatting) run(ignoreFormatted bool) error {
	var empty, formatted []string
	for _, dir := range dirsOf(f.server) {
		values, err := readMeta(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			empty = append(empty, dir)
		case err != nil:
			f.unreadable(dir, err)
		default:
			if err := f.verify(dir, values); err != nil {
				return err
			}
			formatted = append(formatted, dir)
		}
	}
	switch {
	case len(empty)+len(formatted) == 0:
		return exception.New(exception.Terse, "No available log directories to format.")
	case len(formatted) > 0 && !ignoreFormatted:
		return exception.New(exception.Terse, "Log directory %s is already formatted. Use --ignore-formatted to ignore this directory and format the others.", formatted[0])
	case len(empty) == 0:
		f.s.Printf("All of the log directories are already formatted.\n")
		return nil
	}
	f.s.Printf("Bootstrap metadata: %s\n", bootstrapText(f.features, f.users))
	for _, dir := range empty {
		if err := f.format(dir); err != nil {
			return err
		}
	}
	return nil
}

// unreadable prints that a directory is skipped, and why.
func (f *formatting) unreadable(dir string, err error) {
	f.s.Printf("I/O error trying to read log directory %s. Ignoring...\n", dir)
	path, absErr := filepath.Abs(filepath.Join(dir, metaPropertiesFile))
	if absErr != nil {
		path = filepath.Join(dir, metaPropertiesFile)
	}
	f.s.Log(tool.LevelError, "org.apache.kafka.metadata.properties.MetaPropertiesEnsemble", "Error while reading meta.properties file %s", path)
	why := err.Error()
	if cause, ok := errors.AsType[*fs.PathError](err); ok {
		why = strings.ToUpper(cause.Err.Error()[:1]) + cause.Err.Error()[1:]
	}
	f.s.Remark("java.nio.file.FileSystemException: %s: %s\n", path, why)
}

// verify returns an error if the directory belongs to another cluster or another node.
func (f *formatting) verify(dir string, values map[string]string) error {
	path := filepath.Join(dir, metaPropertiesFile)
	if id := values["cluster.id"]; id != f.cluster {
		return exception.New(exception.Runtime, "Invalid cluster.id in: %s. Expected %s, but read %s", path, f.cluster, id)
	}
	if id := values["node.id"]; id != strconv.Itoa(int(f.server.NodeID)) {
		return exception.New(exception.Runtime, "Stored node id %s doesn't match previous node id %d in %s. If you moved your data, make sure your configured node id matches. If you intend to create a new node, you should remove all data in your data directories.",
			id, f.server.NodeID, path)
	}
	return nil
}

// format prepares one directory. It writes meta.properties last, because that file marks the directory as formatted.
func (f *formatting) format(dir string) error {
	f.s.Printf("Formatting %s %s with metadata.version %s.\n", f.kind(dir), dir, f.features.release.Name)
	now := time.Now()
	disk := vfs.OS{}
	if err := disk.MkdirAll(dir); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	if err := vfs.WriteFile(disk, dir, BootstrapFile, bootstrapSnapshot(now.UnixMilli(), f.features, f.users)); err != nil {
		return fmt.Errorf("write %s: %w", BootstrapFile, err)
	}
	id := newUUID()
	if dir == f.server.MetadataDir && f.dynamic {
		for _, v := range f.voters {
			if v.id == f.server.NodeID {
				id = base64.RawURLEncoding.EncodeToString(v.directory[:])
			}
		}
		if err := f.writeQuorum(disk, dir, now); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("#\n#%s\nnode.id=%d\ndirectory.id=%s\nversion=1\ncluster.id=%s\n", now.Format(time.UnixDate), f.server.NodeID, id, f.cluster)
	if err := vfs.WriteFile(disk, dir, metaPropertiesFile, []byte(text)); err != nil {
		return fmt.Errorf("write %s: %w", metaPropertiesFile, err)
	}
	return nil
}

func (f *formatting) writeQuorum(disk vfs.FS, dir string, now time.Time) error {
	dir = filepath.Join(dir, quorumDir)
	if err := disk.MkdirAll(dir); err != nil {
		return fmt.Errorf("create directory: %w", err)
	}
	listener := "CONTROLLER"
	for _, l := range f.server.Listeners {
		if l.Controller {
			listener = l.Name
		}
	}
	if err := vfs.WriteFile(disk, dir, quorumSnapshotFile, quorumSnapshot(now.UnixMilli(), f.features.kraft, listener, f.voters)); err != nil {
		return fmt.Errorf("write %s: %w", quorumSnapshotFile, err)
	}
	return nil
}

// kind returns Kafka's word for the purpose of a directory.
func (f *formatting) kind(dir string) string {
	switch {
	case dir != f.server.MetadataDir:
		return "data directory"
	case !f.dynamic:
		return "metadata directory"
	case slices.ContainsFunc(f.voters, func(v voter) bool { return v.id == f.server.NodeID }):
		return "dynamic metadata voter directory"
	}
	return "dynamic metadata directory"
}

// IsFormatted reports whether a directory has a meta.properties.
func IsFormatted(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, metaPropertiesFile))
	return err == nil
}
