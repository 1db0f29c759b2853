// Package exception owns the failures that Kafka's tools print: errors with the class names, texts and causes of Java's
// exceptions. It makes them from error codes, from other errors, and from texts of the tools. The tools choose the stream and
// the exit code.
package exception

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Class names of the exceptions that Kafka's tools print. CommonErrors is the Java package of most of them.
const (
	CommonErrors            = "org.apache.kafka.common.errors."
	Timeout                 = CommonErrors + "TimeoutException"
	InvalidTopic            = CommonErrors + "InvalidTopicException"
	UnknownTopicOrPartition = CommonErrors + "UnknownTopicOrPartitionException"
	Config                  = "org.apache.kafka.common.config.ConfigException"
	Kafka                   = "org.apache.kafka.common.KafkaException"
	IllegalArgument         = "java.lang.IllegalArgumentException"
	Execution               = "java.util.concurrent.ExecutionException"
	Runtime                 = "java.lang.RuntimeException"
	NoSuchFile              = "java.nio.file.NoSuchFileException"
	Terse                   = "org.apache.kafka.tools.TerseException"
	AdminOperation          = "org.apache.kafka.tools.AdminOperationException"
	AdminCommandFailed      = "org.apache.kafka.tools.AdminCommandFailedException"
	UnsupportedVersion      = CommonErrors + "UnsupportedVersionException"
)

// Error is a failure with the class name that Kafka's Java tools give it. Most lines show the text alone; some show the name
// too.
type Error struct {
	Class string
	Text  string
	Cause error
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Named is Java's Throwable.toString: the name, and the text if there is one.
func (e *Error) Named() string {
	if e.Text == "" && e.Class != UnknownTopicOrPartition {
		return e.Class
	}
	return e.Class + ": " + e.Text
}

// InFull is the text of an error followed by the text of its cause, which Kafka prints on a line of its own.
func InFull(err error) string {
	text := err.Error()
	if x, ok := errors.AsType[*Error](err); ok && x.Cause != nil && !strings.Contains(text, x.Cause.Error()) {
		text += ": " + x.Cause.Error()
	}
	return text
}

// Causes returns the "Caused by" lines that Java prints below an exception, each with a newline before it.
func Causes(err error) string {
	var b strings.Builder
	for x, ok := errors.AsType[*Error](err); ok; {
		var cause *Error
		if !errors.As(x.Cause, &cause) || cause == x || strings.Contains(x.Text, cause.Named()) {
			break
		}
		b.WriteString("\nCaused by: " + cause.Named())
		x = cause
	}
	return b.String()
}

// IsInterrupt reports whether a command failed because of Ctrl-C or a signal. Such a command prints no error, as in Kafka.
func IsInterrupt(err error) bool { return errors.Is(err, context.Canceled) }

// New makes an exception without a cause.
func New(class, format string, args ...any) *Error {
	return &Error{Class: class, Text: fmt.Sprintf(format, args...)}
}

// FromBroker makes the exception of an error code, with the broker's text if it sent one. It returns nil for code 0.
func FromBroker(code int16, message *string) error {
	if code == 0 {
		return nil
	}
	known, ok := kafkaErrors[code]
	if !ok {
		known = kafkaErrors[-1]
	}
	text := known.text
	if message != nil {
		text = *message
	}
	return &Error{Class: "org.apache.kafka.common." + known.class, Text: text, Cause: kerr.ErrorForCode(code)}
}

// Of makes an exception of any error, with the name that Kafka would give it. call is the name of the request, which the text
// of a time-out names.
func Of(err error, call string) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		if x, ok := errors.AsType[*Error](FromBroker(e.Code, nil)); ok {
			return x
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &Error{Class: Timeout, Text: "Timed out waiting for a node assignment. Call: " + call, Cause: err}
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Class: "java.lang.InterruptedException", Text: "interrupted", Cause: err}
	}
	text := err.Error()
	if strings.Contains(text, "broker is too old") || strings.Contains(text, "unknown request key") {
		return &Error{Class: UnsupportedVersion, Text: "The broker does not support " + call, Cause: err}
	}
	return &Error{Class: Kafka, Text: text, Cause: err}
}

// Named formats an error as Kafka's log does: the exception's name and text.
func Named(err error) string {
	if n, ok := errors.AsType[namedError](err); ok {
		return n.Named()
	}
	return err.Error()
}

// namedError is an error with the name of a Java class: an exception, or an error of an option parser.
type namedError interface {
	error
	Named() string
}

// InFuture makes the exception that Kafka's tool gets from a failed future. Its text is the name and text of the cause.
func InFuture(err error) error {
	return &Error{Class: Execution, Text: Named(err), Cause: err}
}

// Is reports whether an error is an exception of the class.
func Is(err error, class string) bool {
	x, ok := errors.AsType[*Error](err)
	return ok && x.Class == class
}
