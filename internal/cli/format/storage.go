// Package format owns kafka-storage, which formats the data directories of a server: it writes meta.properties, and the
// snapshots with which Kafka's metadata begins. It also shows which directories are formatted. bote's broker needs
// meta.properties but none of the snapshots.
package format

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/argp"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/releases"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
)

// kafka-storage works on files only and connects to no broker.

const metaPropertiesFile = "meta.properties"

func parser() *argp.Parser {
	configFile := argp.Argument{Flags: []string{"--config", "-c"}, Metavar: "CONFIG", Required: true, Help: "The server's properties file."}
	feature := argp.Argument{Flags: []string{"--feature", "-f"}, Metavar: "FEATURE", Append: true, Help: "Feature and level, name=level; may be repeated."}
	release := argp.Argument{Flags: []string{"--release-version", "-r"}, Metavar: "RELEASE_VERSION", Help: "Use the feature levels of this release; by default " + releases.Latest + "."}
	needed := feature
	needed.Required = true
	quorum := func(help string, metavar string, flags ...string) argp.Argument {
		return argp.Argument{Flags: flags, Metavar: metavar, Group: "quorum", Optional: true, Help: help}
	}
	return &argp.Parser{
		Prog: "kafka-storage", About: "This tool formats data directories and shows their state.",
		Subs: []*argp.SubCommand{
			{Name: "info", Help: "Show the data directories, and the cluster and node that they belong to.", Args: []argp.Argument{configFile}},
			{Name: "format", Help: "Format data directories for a cluster.", Args: []argp.Argument{
				configFile,
				{Flags: []string{"--cluster-id", "-t"}, Metavar: "CLUSTER_ID", Required: true, Help: "ID of the cluster; random-uuid makes one."},
				{Flags: []string{"--add-scram", "-S"}, Metavar: "ADD_SCRAM", Append: true, Help: "SCRAM user to create: SCRAM-SHA-256=[name=alice,password=secret] or SCRAM-SHA-512=[...]. iterations= and salt= are optional. May be repeated."},
				{Flags: []string{"--ignore-formatted", "-g"}, Help: "Skip directories that are already formatted."},
				release,
				feature,
				quorum("Make this node the only controller of the quorum.", "", "--standalone", "-s"),
				quorum("Format without the initial controllers of the quorum, to join an existing quorum.", "", "--no-initial-controllers", "-N"),
				quorum("Initial controllers of the quorum: a comma-separated list of id@host:port:directory-id.", "INITIAL_CONTROLLERS", "--initial-controllers", "-I"),
			}},
			{Name: "version-mapping", Help: "Show the feature levels of a release.", Args: []argp.Argument{release}},
			{Name: "feature-dependencies", Help: "Show which features a feature level depends on.", Args: []argp.Argument{needed}},
			{Name: "random-uuid", Help: "Print a new random ID."},
		},
	}
}

// Run is kafka-storage.
func Run(_ context.Context, s *tool.Streams, args []string) int {
	quiet := false
	code := parser().Run(s, repairedFormat(s, args), func(set *argp.Set) error {
		err := runCommand(s, set)
		if errors.Is(err, errQuiet) {
			quiet = true
			return nil
		}
		if e, ok := errors.AsType[*config.Error](err); ok {
			err = exception.New(e.Class, "%s", e.Text)
		}
		if x, ok := errors.AsType[*exception.Error](err); ok && x.Class != exception.Terse {
			return fmt.Errorf("Exception in thread \"main\" %s", x.Named()) //nolint:staticcheck // Java's words
		}
		return err
	})
	if quiet {
		return tool.ExitError
	}
	return code
}

func runCommand(s *tool.Streams, set *argp.Set) error {
	switch set.Sub {
	case "info":
		return showInfo(s, set)
	case "format":
		return formatAll(s, set)
	case "version-mapping":
		return releases.PrintMapping(s, set.Text("release-version", ""))
	case "feature-dependencies":
		return printDependencies(s, set.Values["feature"])
	}
	s.Printf("%s\n", newUUID())
	return nil
}

// printDependencies is releases.PrintDependencies with the two texts in which kafka-storage differs from kafka-features.
func printDependencies(s *tool.Streams, words []string) error {
	for _, word := range words {
		name, level, err := releases.ParseLevel(word)
		if err != nil {
			return err
		}
		if high, ok := releases.HighestLevel[name]; ok && (level < 0 || level > high) {
			return exception.New(exception.Terse, "Feature level %d is not supported for feature %s", level, name)
		}
		if text := releases.LevelText(name, level); name == releases.MetadataVersion && text != strconv.Itoa(int(level)) {
			s.Printf("%s=%d (%s) has no dependencies.\n", name, level, text)
			continue
		}
		if err := releases.PrintDependencies(s, []string{word}); err != nil {
			return err
		}
	}
	return nil
}

// repairedFormat repairs a mistake that some tutorials contain: KAFKA_CLUSTER_ID="$(bin)/kafka-storage.sh random-uuid" puts the
// words of the command where the ID should be. repairedFormat replaces them by a new ID.
func repairedFormat(s *tool.Streams, args []string) []string {
	if len(args) == 0 || args[0] != "format" {
		return args
	}
	i := slices.Index(args, "random-uuid")
	if i < 2 || (args[i-2] != "-t" && args[i-2] != "--cluster-id") || isUUID(args[i-1]) {
		return args
	}
	id := newUUID()
	s.Remark("%q is not a cluster ID. Did you mean KAFKA_CLUSTER_ID=\"$(bin/kafka-storage.sh random-uuid)\"? The parenthesis was closed too early.\n"+
		"A new cluster ID takes its place: %s\n", args[i-1]+" random-uuid", id)
	return append(append(slices.Clone(args[:i-1]), id), args[i+1:]...)
}

func isUUID(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) == 16
}

// newUUID makes a random ID in Kafka's format: 22 characters. The first one is never a dash, which would look like an option.
func newUUID() string {
	for {
		var id [16]byte
		_, _ = rand.Read(id[:]) // never fails
		id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
		if text := base64.RawURLEncoding.EncodeToString(id[:]); text[0] != '-' {
			return text
		}
	}
}

// serverOf reads the server's settings. The error for bad settings names the exception, as in Kafka.
func serverOf(set *argp.Set) (config.Server, error) {
	values, err := tool.ReadProperties(set.Text("config", ""))
	if err != nil {
		return config.Server{}, err
	}
	server, _, err := config.ParseServer(values)
	return server, err //nolint:wrapcheck // Kafka's text
}

// dirsOf returns the directories of log.dirs and metadata.log.dir, sorted.
func dirsOf(server config.Server) []string {
	dirs := append(slices.Clone(server.LogDirs), server.MetadataDir)
	slices.Sort(dirs)
	return slices.DeleteFunc(slices.Compact(dirs), func(d string) bool { return d == "" })
}

// showInfo lists the directories, the contents of their meta.properties, and the problems found.
func showInfo(s *tool.Streams, set *argp.Set) error {
	server, err := serverOf(set)
	if err != nil {
		return err
	}
	dirs := dirsOf(server)
	if len(dirs) == 0 {
		s.Printf("No directories specified.\n")
		return nil
	}
	var found, problems []string
	var first map[string]string
	for _, dir := range dirs {
		switch info, err := os.Stat(dir); {
		case err != nil:
			problems = append(problems, dir+" does not exist")
			continue
		case !info.IsDir():
			problems = append(problems, dir+" is not a directory")
			continue
		}
		found = append(found, dir)
		values, err := readMeta(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, dir+" is not formatted.")
		case err != nil:
			problems = append(problems, fmt.Sprintf("Error loading %s: %s", filepath.Join(dir, metaPropertiesFile), err))
		case first == nil:
			first = values
		default:
			problems = append(problems, mismatches(first, values)...)
		}
	}
	listed(s, "Found log director", "y", "ies", found)
	if first != nil {
		pairs := make([]string, 0, len(first))
		for _, k := range slices.Sorted(maps.Keys(first)) {
			pairs = append(pairs, k+"="+first[k])
		}
		s.Printf("Found metadata: {%s}\n\n", strings.Join(pairs, ", "))
	}
	listed(s, "Found problem", "", "s", problems)
	if len(problems) > 0 {
		return errQuiet
	}
	return nil
}

func mismatches(a, b map[string]string) []string {
	var list []string
	if a["cluster.id"] != b["cluster.id"] {
		list = append(list, "Mismatched cluster IDs between storage directories.")
	}
	if a["node.id"] != b["node.id"] {
		list = append(list, "Mismatched node IDs between storage directories.")
	}
	return list
}

// listed prints a heading in singular or plural and the lines below it, or nothing.
func listed(s *tool.Streams, heading, one, many string, lines []string) {
	if len(lines) == 0 {
		return
	}
	if len(lines) > 1 {
		one = many
	}
	s.Printf("%s%s:\n", heading, one)
	for _, line := range lines {
		s.Printf("  %s\n", line)
	}
	s.Printf("\n")
}

// readMeta reads the meta.properties of a directory. The error is fs.ErrNotExist if there is none.
func readMeta(dir string) (map[string]string, error) {
	f, err := os.Open(filepath.Join(dir, metaPropertiesFile))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", metaPropertiesFile, err)
	}
	defer f.Close()
	values, err := config.ParseProperties(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", metaPropertiesFile, err)
	}
	return values, nil
}
