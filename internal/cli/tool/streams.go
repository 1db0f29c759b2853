package tool

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/botehq/bote/internal/cli/exception"
)

// Streams are a command's input and outputs. Results go to Out, everything else to Err. Getenv reads the environment.
type Streams struct {
	In     io.Reader
	Out    io.Writer
	Err    io.Writer
	Getenv func(string) string
}

// Printf writes to Out. It ignores write errors. Commands that stream records check them where they write; a report that
// nobody reads needs no error.
func (s *Streams) Printf(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format, args...) }

// Remark writes to Err.
func (s *Streams) Remark(format string, args ...any) { _, _ = fmt.Fprintf(s.Err, format, args...) }

// Complain is Remark about an error. It writes nothing if the error is that of an interrupt.
func (s *Streams) Complain(err error, format string, args ...any) {
	if !exception.IsInterrupt(err) {
		s.Remark(format, args...)
	}
}

// The levels of Kafka's log lines.
const (
	LevelWarn  = "WARN"
	LevelError = "ERROR"
)

// Log writes a log line to Err in the format of Kafka's tools: time, level, message, name of the logger.
func (s *Streams) Log(level, logger, format string, args ...any) {
	s.Remark("[%s] %s %s (%s)\n", time.Now().Format("2006-01-02 15:04:05,000"), level, fmt.Sprintf(format, args...), logger)
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
