package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/botehq/bote/internal/cli/tool"
)

// serverLog writes the broker's log in Kafka's pattern: [time] LEVEL text (logger). It is the broker's slog.Handler. Its method
// line writes the lines of Kafka that scripts wait for. Its methods may be called concurrently.
type serverLog struct {
	mu  *sync.Mutex // guards out
	out io.Writer

	level  slog.Level
	attrs  string // the attributes of WithAttrs, each with a blank before it
	prefix string // the groups of WithGroup, each with a dot after it
}

func newServerLog(out io.Writer, level slog.Level) *serverLog {
	return &serverLog{mu: &sync.Mutex{}, out: out, level: level}
}

// Enabled implements slog.Handler.
func (l *serverLog) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

// Handle implements slog.Handler.
func (l *serverLog) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message + l.attrs)
	r.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, l.prefix, a)
		return true
	})
	return l.write(r.Time, levelName(r.Level), "bote", b.String())
}

// WithAttrs implements slog.Handler.
func (l *serverLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		writeAttr(&b, l.prefix, a)
	}
	with := *l
	with.attrs += b.String()
	return &with
}

// WithGroup implements slog.Handler.
func (l *serverLog) WithGroup(name string) slog.Handler {
	if name == "" {
		return l
	}
	with := *l
	with.prefix += name + "."
	return &with
}

// line writes a line under the name of one of Kafka's loggers.
func (l *serverLog) line(level, logger, format string, args ...any) {
	_ = l.write(time.Now(), level, logger, fmt.Sprintf(format, args...)) // there is nowhere to report that the log fails
}

// raw writes a line without time and level, such as the exception below an ERROR line.
func (l *serverLog) raw(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out, text+"\n")
}

func (l *serverLog) write(at time.Time, level, logger, text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := fmt.Fprintf(l.out, "[%s] %s %s (%s)\n", at.Format(logTime), level, text, logger)
	return err //nolint:wrapcheck // slog passes it over
}

const logTime = "2006-01-02 15:04:05,000"

func levelName(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return tool.LevelError
	case level >= slog.LevelWarn:
		return tool.LevelWarn
	case level >= slog.LevelInfo:
		return "INFO"
	}
	return "DEBUG"
}

// writeAttr writes " key=value". The name of a group stands before the keys of its attributes.
func writeAttr(b *strings.Builder, prefix string, a slog.Attr) {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range a.Value.Group() {
			writeAttr(b, prefix, inner)
		}
		return
	}
	if a.Key == "" {
		return
	}
	value := a.Value.String()
	if value == "" || strings.ContainsAny(value, " \t\r\n\"=") {
		value = strconv.Quote(value)
	}
	b.WriteString(" " + prefix + a.Key + "=" + value)
}

// hourlyFile is LOG_DIR/server.log. It is appended to, and every hour it is renamed after the hour in which it was written. It
// is not safe for concurrent use; serverLog's mutex guards it.
type hourlyFile struct {
	path string
	now  func() time.Time

	file *os.File
	hour string
}

// openHourlyFile opens the file, creating its directory.
func openHourlyFile(path string, now func() time.Time) (*hourlyFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("create log directory: %w", err)
	}
	h := &hourlyFile{path: path, now: now}
	if info, err := os.Stat(path); err == nil {
		h.hour = hourOf(info.ModTime())
	}
	return h, h.roll()
}

func hourOf(t time.Time) string { return t.Format("2006-01-02-15") }

// Write appends to the file of the current hour.
func (h *hourlyFile) Write(p []byte) (int, error) {
	if hourOf(h.now()) != h.hour {
		if err := h.roll(); err != nil {
			return 0, err
		}
	}
	n, err := h.file.Write(p)
	if err != nil {
		return n, fmt.Errorf("write %s: %w", h.path, err)
	}
	return n, nil
}

// roll renames the file of an earlier hour and opens the file of this hour.
func (h *hourlyFile) roll() error {
	if err := h.Close(); err != nil {
		return err
	}
	hour := hourOf(h.now())
	if h.hour != "" && h.hour != hour {
		if err := os.Rename(h.path, h.path+"."+h.hour); err != nil {
			return fmt.Errorf("rename %s: %w", h.path, err)
		}
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open log file: %w", err)
	}
	h.file, h.hour = f, hour
	return nil
}

// Close closes the file. It may be called more than once.
func (h *hourlyFile) Close() error {
	if h.file == nil {
		return nil
	}
	err := h.file.Close()
	h.file = nil
	if err != nil {
		return fmt.Errorf("close %s: %w", h.path, err)
	}
	return nil
}
