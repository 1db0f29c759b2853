package cli

import (
	"fmt"
	"io"
	"os"
	"time"
)

// streams is where a command reads and writes. Results go to out, everything else to err.
type streams struct {
	in     io.Reader
	out    io.Writer
	err    io.Writer
	getenv func(string) string
}

// printf writes to out. Write errors surface where they matter, in the commands that stream; a report that nobody reads needs
// no error.
func (s *streams) printf(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format, args...) }

// remark writes to err.
func (s *streams) remark(format string, args ...any) { _, _ = fmt.Fprintf(s.err, format, args...) }

// complain is remark about an error, unless it is an interrupt's.
func (s *streams) complain(err error, format string, args ...any) {
	if !isInterrupt(err) {
		s.remark(format, args...)
	}
}

// The levels of Kafka's log lines.
const (
	levelWarn  = "WARN"
	levelError = "ERROR"
)

// log writes a line to err as Kafka's tools log: time, level, message, name of the logger.
func (s *streams) log(level, logger, format string, args ...any) {
	s.remark("[%s] %s %s (%s)\n", time.Now().Format("2006-01-02 15:04:05,000"), level, fmt.Sprintf(format, args...), logger)
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}
