package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/botehq/bote/internal/cli/tool"
)

// process is a running program.
type process struct {
	pid  int
	args []string
}

// isServer reports whether a process is a broker. The command that starts a daemon is not one.
func (p process) isServer() bool {
	if len(p.args) < 2 {
		return false
	}
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(filepath.ToSlash(p.args[0]))), ".exe")
	rest := p.args[1:]
	switch {
	case name == "kafka-server-start":
	case rest[0] == "kafka-server-start":
		rest = rest[1:]
	case strings.HasPrefix(name, "bote") && rest[0] == "serve":
	default:
		return false
	}
	return !slices.Contains(rest, "-daemon")
}

// configFile returns the properties file that the command line names.
func (p process) configFile() string {
	for _, arg := range p.args[1:] {
		if _, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(arg, "--config") {
			arg = value
		}
		if strings.HasSuffix(arg, ".properties") {
			return arg
		}
	}
	return ""
}

// machine lists and stops processes for kafka-server-stop. Tests replace it.
type machine struct {
	processes func() ([]process, error) // those of this user
	stop      func(pid int, signal string) error
}

// RunStop is kafka-server-stop.
func RunStop(_ context.Context, s *tool.Streams, args []string) int {
	return stopServers(s, machine{userProcesses, stopProcess}, args)
}

// stopServers stops all brokers of the user, or only those with one role or one node ID.
func stopServers(s *tool.Streams, m machine, args []string) int {
	if slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		s.Printf("%s\n", stopUsage)
		return tool.ExitOK
	}
	role, node, err := readStop(args)
	if err != nil {
		s.Remark("%s\n%s\n", err, stopUsage)
		return tool.ExitError
	}
	all, err := m.processes()
	if err != nil {
		s.Remark("%s\n", err)
		return tool.ExitError
	}
	servers := slices.DeleteFunc(all, func(p process) bool { return !p.isServer() || p.pid == os.Getpid() })
	if role != "" && node != "" {
		s.Printf("When both node-id and process-role are provided, the value for node-id will take precedence\n")
	}
	switch {
	case node != "":
		servers, err = configured(servers, "node.id", node)
	case role != "":
		servers, err = configured(servers, "process.roles", role)
	}
	if err != nil {
		s.Printf("%s\n", err)
		return tool.ExitError
	}
	if len(servers) == 0 {
		s.Printf("No kafka server to stop\n")
		return tool.ExitError
	}
	for _, p := range servers {
		if err := m.stop(p.pid, s.Getenv("SIGNAL")); err != nil {
			s.Remark("%s\n", err)
			return tool.ExitError
		}
	}
	return tool.ExitOK
}

const stopUsage = "USAGE: kafka-server-stop.sh [--process-role=ROLE] [--node-id=ID]\n" +
	"Stops all brokers of this user, or only those with a role or a node ID. The environment variable SIGNAL names the signal to send; the default is TERM."

// readStop reads the arguments as Kafka's script does, with or without dashes. It ignores other words, such as the
// server.properties that many service files name. It refuses an unknown option or one without a value, where Kafka's script
// would stop all brokers.
func readStop(args []string) (role, node string, err error) {
	for _, arg := range args {
		name, value, isSet := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case name == "process-role" && value != "":
			role = value
		case name == "node-id" && value != "":
			node = value
		case name == "process-role" && isSet:
			return "", "", fmt.Errorf("%s has no value", arg)
		case name == "node-id" && isSet:
			return "", "", fmt.Errorf("%s has no value", arg)
		case strings.HasPrefix(arg, "-"):
			return "", "", fmt.Errorf("unknown option %s", arg)
		}
	}
	return role, node, nil
}

var errNoConfig = errors.New("Can not find the configuration file in the current directory. Please make sure the kafka stop process and the start process are called in the same directory.") //nolint:staticcheck // Kafka's text

// configured returns the processes whose properties file sets the name to the value.
func configured(list []process, name, value string) ([]process, error) {
	var kept []process
	for _, p := range list {
		values, err := tool.ReadProperties(p.configFile())
		if err != nil {
			return nil, errNoConfig
		}
		if strings.TrimSpace(values[name]) == value {
			kept = append(kept, p)
		}
	}
	return kept, nil
}
