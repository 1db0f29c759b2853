package bote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/botehq/bote/internal/broker"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/localmeta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/storage/vfs"
)

// Config says what broker to open. The zero value is a broker on port 9092 of all
// interfaces, with its data in Kafka's default directory.
type Config struct {
	// DataDir is the data directory. It overrides log.dirs; if it is empty, log.dirs
	// applies. Open creates and formats the directory if need be.
	DataDir string
	// InMemory keeps all data in memory only; it is gone after Close.
	InMemory bool
	// Listen is the address to listen on, "host:port"; port 0 binds a free port. It
	// overrides listeners, and clients are told the bound address; if it is empty,
	// listeners applies.
	Listen string
	// Properties are settings as in server.properties, see docs/config.md. References to
	// config providers, such as ${env:NAME}, are resolved. Missing settings have Kafka's
	// defaults, with one exception: if process.roles is missing too (a whole
	// server.properties has it), new consumer groups do not wait for further members
	// (group.initial.rebalance.delay.ms is 0 instead of 3000).
	Properties map[string]string
	// Logger gets what an operator needs to know; nil discards it.
	Logger *slog.Logger
	// Registerer gets the metrics; nil keeps them private.
	Registerer prometheus.Registerer

	now func() time.Time // the clock of a test; nil means time.Now
}

// parts returns the configuration of a broker on this machine, or in memory.
func (c *Config) parts() (broker.Config, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	settings, err := c.settings()
	out := broker.Config{Settings: settings, FS: vfs.OS{}, OpenMeta: openLocalMeta, Now: c.now, Logger: c.Logger, Registerer: c.Registerer}
	if c.InMemory {
		out.FS = vfs.NewMem()
		out.OpenMeta = func(string) (meta.Store, error) { return memmeta.New(), nil }
	}
	return out, err
}

// metaFile holds topics and configs. It is in the data directory, beside the partitions.
const metaFile = "bote-meta.db"

func openLocalMeta(dir string) (meta.Store, error) {
	store, err := localmeta.Open(filepath.Join(dir, metaFile))
	if err != nil {
		return nil, err
	}
	if err := (vfs.OS{}).SyncDir(dir); err != nil { // the file may be new
		return nil, errors.Join(err, store.Close())
	}
	return store, nil
}

// settings translates a Config into the settings of server.properties.
func (c *Config) settings() (config.Server, error) {
	values, err := config.Resolve(c.Properties, config.Sources{LookupEnv: os.LookupEnv, ReadFile: os.ReadFile})
	if err != nil {
		return config.Server{}, err
	}
	if values = maps.Clone(values); values == nil {
		values = map[string]string{}
	}
	if c.DataDir != "" || c.InMemory {
		delete(values, "log.dir")
		values["log.dirs"] = c.DataDir
		if c.InMemory {
			values["log.dirs"] = memoryDir
		}
	}
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return config.Server{}, fmt.Errorf("listen address %q: %w", c.Listen, err)
		}
		config.ListenAt(values, c.Listen)
	}
	idGiven := values["node.id"] != "" || values["broker.id"] != ""
	config.Complete(values)
	if err := config.CheckProtocols(values); err != nil {
		return config.Server{}, err
	}
	s, warnings, err := config.ParseServer(values)
	if err != nil {
		return s, err
	}
	_, err = os.Stat(filepath.Join(s.LogDirs[0], metaFile))
	if err := s.CheckServed(config.Start{NodeIDSet: idGiven, HasCluster: err == nil && !c.InMemory, LocateHost: locate}); err != nil {
		return s, err
	}
	for _, w := range warnings {
		of := []any{slog.String("setting", w.Name)}
		if w.Nearest != "" {
			of = append(of, slog.String("nearest", w.Nearest))
		}
		c.Logger.Warn("unknown setting, which is ignored", of...)
	}
	config.Remark(c.Logger, config.BrokerKind, s.Static)
	if len(s.LogDirs) > 1 {
		return s, fmt.Errorf("log.dirs names %d directories; this broker keeps its log in one: give one", len(s.LogDirs))
	}
	return s, nil
}

// memoryDir is the data directory that a broker in memory pretends to have.
const memoryDir = "/bote"

// locate reports whether a host is this machine, that is, whether it has this machine's
// name or one of its addresses. It returns UnknownHost if the name cannot be looked up
// within longestLookup.
func locate(host string) config.HostKind {
	if name, err := os.Hostname(); err == nil && strings.EqualFold(name, host) || strings.EqualFold(host, "localhost") {
		return config.HereHost
	}
	addresses := []string{host}
	if net.ParseIP(host) == nil {
		ctx, cancel := context.WithTimeout(context.Background(), longestLookup)
		defer cancel()
		found, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return config.UnknownHost
		}
		addresses = found
	}
	if slices.ContainsFunc(addresses, isOwnAddress) {
		return config.HereHost
	}
	return config.OtherHost
}

// longestLookup is how long a start waits for the address of a host in
// controller.quorum.*.
const longestLookup = 5 * time.Second

func isOwnAddress(address string) bool {
	ip := net.ParseIP(address)
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}
