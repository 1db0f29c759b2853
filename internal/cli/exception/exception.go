// Package exception owns the failures that Kafka's tools print: errors with the class names, texts and causes that Java would
// show. It makes them of error codes, of other errors, and of texts of the tools; which streams they go to, and the exit codes,
// are for the tools.
package exception

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Names of the exceptions that Kafka's tools print. CommonErrors is the package of most.
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

// Error is a failure with the name that Kafka's Java tools give it. The text alone is what people read; the name is part
// of some of the tools' lines.
type Error struct {
	Class string
	Text  string
	Cause error
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Unwrap returns what caused it.
func (e *Error) Unwrap() error { return e.Cause }

// Named is Throwable.toString: the name, and the text if there is one.
func (e *Error) Named() string {
	if e.Text == "" && e.Class != UnknownTopicOrPartition {
		return e.Class
	}
	return e.Class + ": " + e.Text
}

// InFull is an error's sentence with the reason behind it, where Kafka's words leave that to a line of its own.
func InFull(err error) string {
	text := err.Error()
	if x, ok := errors.AsType[*Error](err); ok && x.Cause != nil && !strings.Contains(text, x.Cause.Error()) {
		text += ": " + x.Cause.Error()
	}
	return text
}

// Causes are the lines that Java prints below an exception for what caused it, each with a newline before it.
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

// IsInterrupt reports whether a command failed because of Ctrl-C or a signal. It then ends without a word, as Kafka's tools do.
func IsInterrupt(err error) bool { return errors.Is(err, context.Canceled) }

// New is an exception without a cause.
func New(class, format string, args ...any) *Error {
	return &Error{Class: class, Text: fmt.Sprintf(format, args...)}
}

// FromBroker is the exception of an error code, with the broker's text if it sent one. Code 0 is nil.
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

// Of gives any error the name Kafka would give it. call is the name of the request for time-outs.
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

// Named is an error as Kafka's log shows it: the exception's name and text.
func Named(err error) string {
	if n, ok := errors.AsType[namedError](err); ok {
		return n.Named()
	}
	return err.Error()
}

// namedError is an error with the name of a Java class: an exception, or a refusal by a parser of options.
type namedError interface {
	error
	Named() string
}

// InFuture is a failure that reached Kafka's tool through a future: its message is the name and text of the cause.
func InFuture(err error) error {
	return &Error{Class: Execution, Text: Named(err), Cause: err}
}

// Is reports whether an error is an exception of a class.
func Is(err error, class string) bool {
	x, ok := errors.AsType[*Error](err)
	return ok && x.Class == class
}
