package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kafka is an installation of Apache Kafka: a directory with the libraries in libs.
type Kafka struct {
	Home string
	Heap string // maximum heap, as in java's -Xmx, for example 1g
}

// clusterID is what storage is formatted with; any 16 bytes in base64 would do.
const clusterID = "AAAAAAAAAAAAAAAAAAAAAQ"

// FindKafka returns the installation in home. If home is empty, it returns that of
// the compatibility tests, and downloads it with Maven if it is missing.
func FindKafka(ctx context.Context, home, heap string) (Kafka, error) {
	if home == "" {
		cache, err := compatCache()
		if err != nil {
			return Kafka{}, err
		}
		root, err := moduleRoot(ctx)
		if err != nil {
			return Kafka{}, err
		}
		out, err := exec.CommandContext(ctx, "bash", filepath.Join(root, "test", "compat", "java", "install.sh")).CombinedOutput() //nolint:gosec // a script of ours
		if err != nil {
			return Kafka{}, fmt.Errorf("install kafka: %w: %s", err, out)
		}
		home = filepath.Join(cache, "java")
	}
	k := Kafka{Home: home, Heap: heap}
	if k.Version() == "" {
		return Kafka{}, fmt.Errorf("no libs/kafka-clients-VERSION.jar below %s", home)
	}
	return k, nil
}

// compatCache returns where the scripts of test/compat keep what they install.
func compatCache() (string, error) {
	if dir := os.Getenv("BOTE_COMPAT_CACHE"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "bote-compat"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	return filepath.Join(home, ".cache", "bote-compat"), nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if filepath.Base(file) != "go.mod" {
		return "", errors.New("find the module: run this inside of it")
	}
	return filepath.Dir(file), nil
}

// Version returns the version of the libraries, or "" if there are none.
func (k Kafka) Version() string {
	files, err := filepath.Glob(filepath.Join(k.Home, "libs", "kafka-clients-*.jar"))
	if err != nil || len(files) == 0 {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(files[0]), "kafka-clients-"), ".jar")
}

// serverProperties are Kafka's defaults, except for what a single node needs.
const serverProperties = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[3]s
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.partitions=1
`

// loggingProperties write only warnings, to the process's log: logging is not part
// of the measurement.
const loggingProperties = `status=error
rootLogger.level=warn
rootLogger.appenderRef.e.ref=e
appender.e.type=Console
appender.e.name=e
appender.e.target=SYSTEM_ERR
appender.e.layout.type=PatternLayout
appender.e.layout.pattern=%d %p %m (%c)%n
`

// Prepare writes the settings and formats the directory data in dir.
func (k Kafka) Prepare(ctx context.Context, dir string, port int) error {
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o750); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	properties := filepath.Join(dir, "server.properties")
	if err := os.WriteFile(properties, fmt.Appendf(nil, serverProperties, port, port+1, data), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(loggingProperties), 0o600); err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	out, err := exec.CommandContext(ctx, "java", "-cp", k.classPath(), "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", properties).CombinedOutput() //nolint:gosec // Kafka's tool
	if err != nil {
		return fmt.Errorf("format storage: %w: %s", err, out)
	}
	return nil
}

// Command returns the broker with the flags of Kafka's own start script.
func (k Kafka) Command(dir string, _ int) *exec.Cmd {
	return exec.Command("java", "-Xmx"+k.Heap, "-Xms"+k.Heap, "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", //nolint:gosec,noctx // it lives from Start to Kill
		"-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+filepath.Join(dir, "log4j2.properties"),
		"-cp", k.classPath(), "kafka.Kafka", filepath.Join(dir, "server.properties"))
}

// Tool returns one of Kafka's tools, by the name of its class, with its own heap.
func (k Kafka) Tool(ctx context.Context, class string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "java", append([]string{"-Xmx512m", "-cp", k.classPath(), class}, args...)...) //nolint:gosec // Kafka's tool
}

func (k Kafka) classPath() string { return filepath.Join(k.Home, "libs", "*") }
