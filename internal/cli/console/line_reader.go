package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/javaregex"
	"github.com/botehq/bote/internal/cli/tool"
)

const lineReaderClass = "org.apache.kafka.tools.LineMessageReader"

// lineReader turns lines into records. A line is [headers<delimiter>][key<separator>]value.
type lineReader struct {
	s      *tool.Streams
	topic  string
	prompt bool

	parseKey         bool
	parseHeaders     bool
	ignoreError      bool
	keySeparator     string
	headersDelimiter string
	headersSeparator string
	headersKey       string
	nullMarker       *string
	headersSplit     *javaregex.Regexp
	number           int
	failed           chan error
}

// newLineReader checks the settings as Kafka's LineMessageReader does.
func newLineReader(s *tool.Streams, topic string, settings tool.Properties) (*lineReader, error) {
	raw := func(name, def string) string {
		if v, ok := settings[name]; ok {
			return v
		}
		return def
	}
	l := &lineReader{
		s: s, topic: topic, prompt: tool.IsTerminal(s.In) && tool.IsTerminal(s.Out),
		parseKey: settings.Yes("parse.key"), parseHeaders: settings.Yes("parse.headers"), ignoreError: settings.Yes("ignore.error"),
		keySeparator: raw("key.separator", "\t"), headersDelimiter: raw("headers.delimiter", "\t"),
		headersSeparator: raw("headers.separator", ","), headersKey: raw("headers.key.separator", ":"),
		failed: make(chan error, 1),
	}
	if v, ok := settings["null.marker"]; ok {
		l.nullMarker = &v
	}
	var err error
	if l.headersSplit, err = javaregex.CompileSeparator(l.headersSeparator); err != nil {
		return nil, &exception.Error{Class: "java.util.regex.PatternSyntaxException", Text: err.Error() + "\n" + l.headersSeparator, Cause: err}
	}
	if err := l.distinct(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *lineReader) distinct() error {
	type named struct{ name, value string }
	parts := []named{{"headers.delimiter", l.headersDelimiter}, {"headers.separator", l.headersSeparator}, {"headers.key.separator", l.headersKey}}
	equal := func(a, b named) error {
		if a.value == b.value {
			return exception.New(exception.Kafka, "%s and %s may not be equal", a.name, b.name)
		}
		return nil
	}
	if err := errors.Join(equal(parts[0], parts[1]), equal(parts[0], parts[2]), equal(parts[1], parts[2])); err != nil {
		return firstException(err)
	}
	if l.nullMarker == nil {
		return nil
	}
	marker := named{"null.marker", *l.nullMarker}
	for _, other := range []named{{"key.separator", l.keySeparator}, parts[1], parts[0], parts[2]} {
		if err := equal(marker, other); err != nil {
			return err
		}
	}
	return nil
}

func firstException(err error) error {
	if x, ok := errors.AsType[*exception.Error](err); ok {
		return x
	}
	return err
}

// lines reads the input until its end or the end of the context. The goroutine that reads cannot be stopped while it waits for
// a terminal. It ends after the next line or with the program.
func (l *lineReader) lines(ctx context.Context) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		found := make(chan []byte)
		go func() {
			defer close(found)
			l.read(ctx, found)
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case line, ok := <-found:
				if !ok || !yield(line) {
					return
				}
			}
		}
	}
}

func (l *lineReader) read(ctx context.Context, found chan<- []byte) {
	in := javaLines{in: bufio.NewReaderSize(l.s.In, 64<<10)}
	for {
		if l.prompt {
			l.s.Printf(">")
		}
		line, ended, err := in.next()
		if len(line) > 0 || ended {
			select {
			case <-ctx.Done():
				return
			case found <- line:
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.failed <- fmt.Errorf("read standard input: %w", err)
			}
			return
		}
	}
}

// javaLines reads lines as Java's BufferedReader does. A line ends with \n, \r or \r\n, which are not part of the line.
type javaLines struct {
	in     *bufio.Reader
	skipLF bool // the last line ended with \r: skip a \n that follows
}

// next returns a line. ended is false if the line has no line end, which can only be the last line of the input.
func (l *javaLines) next() (line []byte, ended bool, err error) {
	for {
		b, err := l.in.ReadByte()
		if err != nil {
			return line, false, err //nolint:wrapcheck // the caller does
		}
		skipped := l.skipLF && b == '\n'
		l.skipLF = b == '\r'
		switch {
		case skipped:
		case b == '\n' || b == '\r':
			return line, true, nil
		default:
			line = append(line, b)
		}
	}
}

// readError returns the error that stopped the reading, or nil at the end of the input.
func (l *lineReader) readError() error {
	select {
	case err := <-l.failed:
		return err
	default:
		return nil
	}
}

// record parses a line. The key and value of the record are parts of the line's bytes.
func (l *lineReader) record(line []byte) (*kgo.Record, error) {
	l.number++
	rec := &kgo.Record{Topic: l.topic}
	rest := line
	var headers, key []byte
	var hasHeaders, hasKey bool
	var err error
	if headers, rest, hasHeaders, err = l.cut(line, rest, l.parseHeaders, l.headersDelimiter, "headers delimiter"); err != nil {
		return nil, err
	}
	if key, rest, hasKey, err = l.cut(line, rest, l.parseKey, l.keySeparator, "key separator"); err != nil {
		return nil, err
	}
	if hasKey {
		rec.Key = l.orNull(key)
	}
	rec.Value = l.orNull(rest)
	if hasHeaders && l.orNull(headers) != nil {
		rec.Headers, err = l.headers(string(headers))
	}
	return rec, err
}

func (l *lineReader) cut(line, rest []byte, enabled bool, separator, name string) (before, after []byte, found bool, err error) {
	if !enabled {
		return nil, rest, false, nil
	}
	before, after, found = bytes.Cut(rest, []byte(separator))
	if found {
		return before, after, true, nil
	}
	if l.ignoreError {
		return nil, rest, false, nil
	}
	return nil, nil, false, exception.New(exception.Kafka, "No %s found on line number %d: '%s'", name, l.number, line)
}

// orNull returns nil for the null marker. All other bytes stay as they are, except that nil becomes empty.
func (l *lineReader) orNull(b []byte) []byte {
	if l.nullMarker != nil && string(b) == *l.nullMarker {
		return nil
	}
	if b == nil {
		return []byte{}
	}
	return b
}

func (l *lineReader) headers(text string) ([]kgo.RecordHeader, error) {
	var list []kgo.RecordHeader
	for _, pair := range l.headersSplit.Split(text) {
		key, value, ok := strings.Cut(pair, l.headersKey)
		switch {
		case !ok && l.ignoreError:
			list = append(list, kgo.RecordHeader{Key: pair})
			continue
		case !ok:
			return nil, exception.New(exception.Kafka, "No header key separator found in pair '%s' on line number %d", pair, l.number)
		case l.nullMarker != nil && key == *l.nullMarker:
			return nil, exception.New(exception.Kafka, "Header keys should not be equal to the null marker '%s' as they can't be null", *l.nullMarker)
		}
		list = append(list, kgo.RecordHeader{Key: key, Value: l.orNull([]byte(value))})
	}
	return list, nil
}
