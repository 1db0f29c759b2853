package cli

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

	"github.com/botehq/bote/internal/config"
)

// kafka-storage prepares data directories: it works on files alone.

const metaPropertiesFile = "meta.properties"

func storageParser() *argParser {
	configFile := argument{flags: []string{"--config", "-c"}, metavar: "CONFIG", required: true, help: "The server's properties file."}
	feature := argument{flags: []string{"--feature", "-f"}, metavar: "FEATURE", append: true, help: "Feature and level, name=level; may be repeated."}
	release := argument{flags: []string{"--release-version", "-r"}, metavar: "RELEASE_VERSION", help: "The release whose feature levels are meant, by default " + latestRelease + "."}
	needed := feature
	needed.required = true
	quorum := func(help string, metavar string, flags ...string) argument {
		return argument{flags: flags, metavar: metavar, group: "quorum", optional: true, help: help}
	}
	return &argParser{
		prog: "kafka-storage", about: "This tool prepares data directories and looks into them.",
		subs: []*argSub{
			{name: "info", help: "Show the data directories and whose they are.", args: []argument{configFile}},
			{name: "format", help: "Make data directories ready for use.", args: []argument{
				configFile,
				{flags: []string{"--cluster-id", "-t"}, metavar: "CLUSTER_ID", required: true, help: "The ID of the cluster, see random-uuid."},
				{flags: []string{"--add-scram", "-S"}, metavar: "ADD_SCRAM", append: true, help: "A user to begin with: SCRAM-SHA-256=[name=alice,password=secret] or SCRAM-SHA-512=[...], with iterations= and salt= if wanted; may be repeated."},
				{flags: []string{"--ignore-formatted", "-g"}, help: "Pass over directories that are formatted already."},
				release,
				feature,
				quorum("This node alone is the quorum of controllers.", "", "--standalone", "-s"),
				quorum("The quorum of controllers is not known yet.", "", "--no-initial-controllers", "-N"),
				quorum("The quorum of controllers: id@host:port:directory-id, with commas between.", "INITIAL_CONTROLLERS", "--initial-controllers", "-I"),
			}},
			{name: "version-mapping", help: "Show the feature levels that belong to a release.", args: []argument{release}},
			{name: "feature-dependencies", help: "Show what a feature level needs.", args: []argument{needed}},
			{name: "random-uuid", help: "Print a new random ID."},
		},
	}
}

func runStorage(_ context.Context, s *streams, args []string) int {
	quiet := false
	code := storageParser().run(s, repairedFormat(s, args), func(set *argSet) error {
		err := storageCommand(s, set)
		if errors.Is(err, errQuiet) {
			quiet = true
			return nil
		}
		if e, ok := errors.AsType[*config.Error](err); ok {
			err = throw(e.Class, "%s", e.Text)
		}
		if x, ok := errors.AsType[*exception](err); ok && x.class != classTerse {
			return fmt.Errorf("Exception in thread \"main\" %s", x.named()) //nolint:staticcheck // Java's words
		}
		return err
	})
	if quiet {
		return exitError
	}
	return code
}

func storageCommand(s *streams, set *argSet) error {
	switch set.sub {
	case "info":
		return storageInfo(s, set)
	case "format":
		return storageFormat(s, set)
	case "version-mapping":
		return versionMapping(s, set.text("release-version", ""))
	case "feature-dependencies":
		return storageDependencies(s, set.values["feature"])
	}
	s.printf("%s\n", newUUID())
	return nil
}

// storageDependencies differs from kafka-features in one text.
func storageDependencies(s *streams, words []string) error {
	for _, word := range words {
		name, level, err := featureLevel(word)
		if err != nil {
			return err
		}
		if high, ok := highestLevel[name]; ok && (level < 0 || level > high) {
			return throw(classTerse, "Feature level %d is not supported for feature %s", level, name)
		}
		if text := levelText(name, level); name == metadataVersion && text != strconv.Itoa(int(level)) {
			s.printf("%s=%d (%s) has no dependencies.\n", name, level, text)
			continue
		}
		if err := featureDependencies(s, []string{word}); err != nil {
			return err
		}
	}
	return nil
}

// repairedFormat understands a mistake that tutorials have: KAFKA_CLUSTER_ID="$(bin)/kafka-storage.sh random-uuid" leaves the
// words of the command where the ID should be. A new ID takes their place.
func repairedFormat(s *streams, args []string) []string {
	if len(args) == 0 || args[0] != "format" {
		return args
	}
	i := slices.Index(args, "random-uuid")
	if i < 2 || (args[i-2] != "-t" && args[i-2] != "--cluster-id") || isUUID(args[i-1]) {
		return args
	}
	id := newUUID()
	s.remark("%q is not a cluster ID. Did you mean KAFKA_CLUSTER_ID=\"$(bin/kafka-storage.sh random-uuid)\"? The parenthesis was closed too early.\n"+
		"A new cluster ID takes its place: %s\n", args[i-1]+" random-uuid", id)
	return append(append(slices.Clone(args[:i-1]), id), args[i+1:]...)
}

func isUUID(text string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(raw) == 16
}

// newUUID makes a random ID as Kafka writes them: 22 characters that do not begin with a dash, which would look like an option.
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

// storageServer reads the server's settings. Kafka refuses bad ones with the name of the exception.
func storageServer(set *argSet) (config.Server, error) {
	values, err := readProperties(set.text("config", ""))
	if err != nil {
		return config.Server{}, err
	}
	server, _, err := config.ParseServer(values)
	return server, err //nolint:wrapcheck // Kafka's text
}

// storageDirs are the directories of log.dirs and metadata.log.dir, sorted.
func storageDirs(server config.Server) []string {
	dirs := append(slices.Clone(server.LogDirs), server.MetadataDir)
	slices.Sort(dirs)
	return slices.DeleteFunc(slices.Compact(dirs), func(d string) bool { return d == "" })
}

// storageInfo lists directories, what meta.properties say, and problems.
func storageInfo(s *streams, set *argSet) error {
	server, err := storageServer(set)
	if err != nil {
		return err
	}
	dirs := storageDirs(server)
	if len(dirs) == 0 {
		s.printf("No directories specified.\n")
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
		s.printf("Found metadata: {%s}\n\n", strings.Join(pairs, ", "))
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
func listed(s *streams, heading, one, many string, lines []string) {
	if len(lines) == 0 {
		return
	}
	if len(lines) > 1 {
		one = many
	}
	s.printf("%s%s:\n", heading, one)
	for _, line := range lines {
		s.printf("  %s\n", line)
	}
	s.printf("\n")
}

// readMeta reads meta.properties of a directory. The error is fs.ErrNotExist if there is none.
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
