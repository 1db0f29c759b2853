// Package server owns the commands that run the broker and look after it: kafka-server-start, which runs in the foreground or as a
// daemon, kafka-server-stop, bote serve and bote health, and what stands in for ZooKeeper's scripts. It owns the log in Kafka's
// pattern and the end by a signal; the broker is package bote's.
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

// Loggers of Kafka's server whose lines scripts wait for.
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
	// strict refuses settings as Kafka does; otherwise missing ones get bote's defaults.
	strict bool
	serves bool // it has started
}

// newServing prepares the log: stdout, and server.log if LOG_DIR is set. closing ends the latter.
func newServing(s *tool.Streams, level slog.Level) (_ *serving, closing func()) {
	out, closing := s.Out, func() {}
	v := &serving{s: s}
	if dir := s.Getenv("LOG_DIR"); dir != "" {
		file, err := openHourlyFile(filepath.Join(dir, "server.log"), time.Now)
		if err == nil {
			out, closing = io.MultiWriter(s.Out, file), func() { _ = file.Close() } // the lines are in stdout, too
		} else {
			defer func() { v.log.line(tool.LevelWarn, loggerMain, "No log file: %s", err) }()
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

// greet says what somebody who runs the broker by hand wants to know.
func (v *serving) greet(b *bote.Broker) {
	if dir := b.DataDir(); within(os.TempDir(), dir) {
		v.log.line(tool.LevelWarn, "bote", "The data is in %s, which may be gone after a reboot: choose another directory for data that matters, with log.dirs or --data-dir.", dir)
	}
	if !v.strict {
		v.log.line("INFO", "bote", "Clients connect to %s. The data is in %s. Ctrl-C stops the broker.", v.clientAddress(b), b.DataDir())
	}
}

// clientAddress is what clients of each listener are told to connect to.
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

// endedBy is the exit code for the signal that ended the broker.
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

// prepare resolves references in the settings, those of the command line included, and refuses what Kafka refuses before it
// touches anything.
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

// startError gives the failures that everybody meets the words that everybody searches for.
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

// locked reports whether another process holds a data directory.
func locked(dir string) bool {
	path := filepath.Join(dir, ".lock")
	if _, err := os.Stat(path); err != nil {
		return false
	}
	lock, err := vfs.OS{}.Lock(path)
	if err != nil {
		return errors.Is(err, vfs.ErrLocked)
	}
	_ = lock.Close() // only asked
	return false
}

// advice says in plain words why bote serve fails, and what to do.
func (v *serving) advice(err error) string {
	dir := v.dataDir()
	switch op, _ := errors.AsType[*net.OpError](err); {
	case op != nil && errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("another program listens on %s already. Stop it, or choose another address with --listen HOST:PORT.", shownAddress(op.Addr.String()))
	case dir != "" && locked(dir):
		return fmt.Sprintf("another broker uses %s. Stop it, or choose another directory with --data-dir DIR.", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("%s. Give the user who runs bote the right to write there, or choose another directory with --data-dir DIR.", err)
	}
	return exception.InFull(err)
}

// fatal logs why there is no server, as Kafka does: the reason is the line below.
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

// shownAddress is an address as Kafka shows it: all interfaces are 0.0.0.0.
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

// limitMemory takes -Xmx of Java's options as a limit that the garbage collector works towards.
func limitMemory(heapOpts string) {
	if limit, ok := maxHeap(heapOpts); ok {
		debug.SetMemoryLimit(limit)
	}
}

// maxHeap reads the last -Xmx.
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
