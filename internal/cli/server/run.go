// Package server owns the commands that run and watch the broker: kafka-server-start (in the foreground or as a daemon),
// kafka-server-stop, bote serve, bote health, and the replacements of ZooKeeper's scripts. It owns the log in Kafka's pattern
// and the handling of signals. The broker itself is in package bote.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/botehq/bote"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/format"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/storage/vfs"
)

// Loggers of Kafka's server. Scripts wait for their lines.
const (
	loggerMain     = "kafka.Kafka$"
	loggerAcceptor = "kafka.network.DataPlaneAcceptor"
	loggerInfo     = "org.apache.kafka.common.utils.AppInfoParser"
	loggerRaft     = "kafka.server.KafkaRaftServer"
	loggerBroker   = "kafka.server.BrokerServer"
)

// serving is one run of the broker in the foreground.
type serving struct {
	s      *tool.Streams
	log    *serverLog
	values map[string]string
	// strict refuses the settings that Kafka refuses. Without it, missing settings get bote's defaults.
	strict bool
	serves bool // the broker has started
}

// newServing prepares the log: stdout, and server.log if LOG_DIR is set. closing closes server.log.
func newServing(s *tool.Streams, level slog.Level) (_ *serving, closing func()) {
	out, closing := s.Out, func() {}
	v := &serving{s: s}
	if dir := s.Getenv("LOG_DIR"); dir != "" {
		file, err := openHourlyFile(filepath.Join(dir, "server.log"), time.Now)
		if err == nil {
			out, closing = io.MultiWriter(s.Out, file), func() { _ = file.Close() } // stdout has the lines too
		} else {
			defer func() { v.log.line(tool.LevelWarn, loggerMain, "Cannot write a log file: %s", err) }()
		}
	}
	v.log = newServerLog(out, level)
	return v, closing
}

// run opens the broker, serves until a signal or the end of the context, and closes it. It returns the exit code.
func (v *serving) run(ctx context.Context) int {
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stopped)
	limitMemory(v.s.Getenv("KAFKA_HEAP_OPTS"))
	if err := v.prepare(); err != nil {
		return v.fatal("Exiting Kafka due to fatal exception", err)
	}
	b, err := bote.Open(ctx, bote.Config{Properties: v.values, Logger: slog.New(v.log)})
	if err != nil && ctx.Err() != nil {
		v.log.line("INFO", "bote", "interrupted while starting")
		return endedBy(stopped)
	}
	if err != nil {
		return v.fatal("Exiting Kafka due to fatal exception during startup.", v.startError(err))
	}
	id := v.nodeID()
	for _, addr := range slices.Sorted(maps.Values(b.Addrs())) {
		v.log.line("INFO", loggerAcceptor, "Awaiting socket connections on %s.", shownAddress(addr))
	}
	for _, addr := range b.ConsoleAddrs() {
		v.log.line("INFO", "bote", "Metrics and health on http://%s/metrics and /readyz", addr)
	}
	v.log.line("INFO", loggerInfo, "Kafka version: %s", tool.KafkaVersion)
	v.log.line("INFO", "bote", "bote %s", tool.BuildVersion())
	v.log.line("INFO", loggerRaft, "[KafkaRaftServer nodeId=%s] Kafka Server started", id)
	v.serves = true
	v.greet(b)
	reportReady(ctx, v.s)
	err = b.Serve(ctx)
	if err = errors.Join(err, b.Close()); err != nil {
		return v.fatal("Exiting Kafka due to fatal exception during shutdown.", err)
	}
	v.log.line("INFO", loggerBroker, "[BrokerServer id=%s] shut down completed", id)
	v.log.line("INFO", loggerInfo, "App info kafka.server for %s unregistered", id)
	return endedBy(stopped)
}

// greet logs what a user who starts the broker by hand wants to know.
func (v *serving) greet(b *bote.Broker) {
	where := fmt.Sprintf("The data is in %s. ", b.DataDir())
	if dir := b.DataDir(); within(os.TempDir(), dir) {
		v.log.line(tool.LevelWarn, "bote", "The data is in %s, which a reboot may delete. For data that matters, choose another directory with log.dirs or --data-dir.", dir)
		where = "" // the warning says it
	}
	if !v.strict {
		v.log.line("INFO", "bote", "Clients connect to %s. %sCtrl-C stops the broker.", v.clientAddress(b), where)
	}
}

// clientAddress returns the addresses that the listeners advertise to clients.
func (v *serving) clientAddress(b *bote.Broker) string {
	values := maps.Clone(v.values)
	config.Complete(values)
	server, _, err := config.ParseServer(values)
	if err != nil {
		return b.Addr()
	}
	var addresses []string
	for _, l := range server.Advertised {
		_, port, err := net.SplitHostPort(b.Addrs()[l.Name])
		if l.Controller || err != nil {
			continue
		}
		if l.Port != 0 {
			port = strconv.Itoa(l.Port)
		}
		host := l.Host
		if host == "" || net.ParseIP(host).IsUnspecified() {
			if host, err = os.Hostname(); err != nil {
				host = "localhost"
			}
		}
		addresses = append(addresses, net.JoinHostPort(host, port))
	}
	return strings.Join(addresses, " or ")
}

// within reports whether a path lies below a directory.
func within(dir, path string) bool {
	rest, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rest)
}

// endedBy returns the exit code for the signal that ended the broker.
func endedBy(stopped <-chan os.Signal) int {
	select {
	case sig := <-stopped:
		if sig == syscall.SIGTERM {
			return tool.ExitTerminated
		}
	default:
	}
	return tool.ExitInterrupted
}

func (v *serving) nodeID() string {
	for _, name := range []string{"node.id", "broker.id"} {
		if id := strings.TrimSpace(v.values[name]); id != "" {
			return id
		}
	}
	return "1"
}

// prepare resolves references to config providers in all settings, including those of the command line. If strict is set, it
// also makes the checks that Kafka makes before it changes anything on disk.
func (v *serving) prepare() (err error) {
	if v.values, err = config.Resolve(v.values, tool.SystemSources); err != nil {
		return err //nolint:wrapcheck // it names the setting
	}
	if !v.strict {
		return nil
	}
	server, _, err := config.ParseServer(v.values)
	if err != nil {
		return err //nolint:wrapcheck // Kafka's text
	}
	missing, formatted := "", 0
	for _, dir := range server.LogDirs {
		if format.IsFormatted(dir) {
			formatted++
		} else if missing == "" {
			missing = dir
		}
	}
	if formatted > 0 && missing != "" {
		return exception.New(exception.Runtime, "No `meta.properties` found in %s (have you run `kafka-storage.sh` to format the directory?)", missing)
	}
	return nil
}

// startError gives the most common failures Kafka's texts, so that users find them on the web.
func (v *serving) startError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && errors.Is(err, syscall.EADDRINUSE) {
		return &exception.Error{Class: exception.Kafka, Text: "Socket server failed to bind to " + shownAddress(op.Addr.String()) + ": Address already in use.", Cause: err}
	}
	if dir := v.dataDir(); dir != "" && locked(dir) {
		return &exception.Error{Class: exception.Kafka, Text: "Failed to acquire lock on file .lock in " + dir + ". A Kafka instance in another process or thread is using this directory.", Cause: err}
	}
	return err
}

func (v *serving) dataDir() string {
	for _, name := range []string{"log.dirs", "log.dir"} {
		if dir := strings.TrimSpace(v.values[name]); dir != "" {
			return dir
		}
	}
	return ""
}

// locked reports whether another process has locked a data directory.
func locked(dir string) bool {
	path := filepath.Join(dir, ".lock")
	if _, err := os.Stat(path); err != nil {
		return false
	}
	lock, err := vfs.OS{}.Lock(path)
	if err != nil {
		return errors.Is(err, vfs.ErrLocked)
	}
	_ = lock.Close() // the lock was only tried
	return false
}

// advice says in plain words why bote serve fails, and what the user can do.
func (v *serving) advice(err error) string {
	dir := v.dataDir()
	switch op, _ := errors.AsType[*net.OpError](err); {
	case op != nil && errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("another program already listens on %s. Stop it, or choose another address with --listen HOST:PORT.", shownAddress(op.Addr.String()))
	case dir != "" && locked(dir):
		return fmt.Sprintf("another broker is using %s. Stop it, or choose another directory with --data-dir DIR.", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s. Give the user that runs bote write permission there, or choose another directory with --data-dir DIR.", err)
	}
	return exception.InFull(err)
}

// fatal logs why the server did not start, or did not stop cleanly, and returns the exit code. kafka-server-start writes the
// reason on a second line, as Kafka does.
func (v *serving) fatal(what string, err error) int {
	if !v.strict {
		failed := "Cannot start"
		if v.serves {
			failed = "Stopped, but not cleanly"
		}
		v.log.line(tool.LevelError, "bote", "%s: %s", failed, v.advice(err))
		if e, ok := errors.AsType[*config.Error](err); ok && e.Advice != "" {
			v.log.raw(e.Advice)
		}
		return tool.ExitError
	}
	v.log.line(tool.LevelError, loggerMain, "%s", what)
	class, text := exception.Runtime, err.Error()
	if e, ok := errors.AsType[*config.Error](err); ok {
		class, text = e.Class, e.Text
	}
	if x, ok := errors.AsType[*exception.Error](err); ok {
		class, text = x.Class, x.Text
	}
	v.log.raw(class + ": " + text)
	return tool.ExitError
}

// shownAddress formats an address as Kafka does: all interfaces are 0.0.0.0.
func shownAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "0.0.0.0"
	}
	return net.JoinHostPort(host, port)
}

// limitMemory makes -Xmx in Java's options the memory limit of Go's runtime, which is a soft limit.
func limitMemory(heapOpts string) {
	if limit, ok := maxHeap(heapOpts); ok {
		debug.SetMemoryLimit(limit)
	}
}

// maxHeap returns the last -Xmx in bytes.
func maxHeap(heapOpts string) (int64, bool) {
	all := regexp.MustCompile(`(?:^|\s)-Xmx(\d+)([kKmMgGtT]?)(?:\s|$)`).FindAllStringSubmatch(strings.ReplaceAll(heapOpts, " ", "  "), -1)
	if len(all) == 0 {
		return 0, false
	}
	last := all[len(all)-1]
	n, err := strconv.ParseInt(last[1], 10, 64)
	shift := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[strings.ToLower(last[2])]
	if err != nil || n <= 0 || n > 1<<(62-shift) {
		return 0, false
	}
	return n << shift, true
}
