package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Names of the exceptions that Kafka's tools print.
const (
	commonErrors     = "org.apache.kafka.common.errors."
	classTimeout     = commonErrors + "TimeoutException"
	classInvalid     = commonErrors + "InvalidTopicException"
	classUnknown     = commonErrors + "UnknownTopicOrPartitionException"
	classConfig      = "org.apache.kafka.common.config.ConfigException"
	classKafka       = "org.apache.kafka.common.KafkaException"
	classArgument    = "java.lang.IllegalArgumentException"
	classExecution   = "java.util.concurrent.ExecutionException"
	classRuntime     = "java.lang.RuntimeException"
	classNoFile      = "java.nio.file.NoSuchFileException"
	classTerse       = "org.apache.kafka.tools.TerseException"
	classOperation   = "org.apache.kafka.tools.AdminOperationException"
	classCommand     = "org.apache.kafka.tools.AdminCommandFailedException"
	classUnsupported = commonErrors + "UnsupportedVersionException"
)

// exception is a failure with the name that Kafka's Java tools give it. The text alone is what people read; the name is part
// of some of the tools' lines.
type exception struct {
	class string
	text  string
	cause error
}

// Error returns the text.
func (e *exception) Error() string { return e.text }

// Unwrap returns what caused it.
func (e *exception) Unwrap() error { return e.cause }

// named is Throwable.toString: the name, and the text if there is one.
func (e *exception) named() string {
	if e.text == "" && e.class != classUnknown {
		return e.class
	}
	return e.class + ": " + e.text
}

// inFull is an error's sentence with the reason behind it, where Kafka's words leave that to a line of its own.
func inFull(err error) string {
	text := err.Error()
	if x, ok := errors.AsType[*exception](err); ok && x.cause != nil && !strings.Contains(text, x.cause.Error()) {
		text += ": " + x.cause.Error()
	}
	return text
}

// causes are the lines that Java prints below an exception for what caused it, each with a newline before it.
func causes(err error) string {
	var b strings.Builder
	for x, ok := errors.AsType[*exception](err); ok; {
		var cause *exception
		if !errors.As(x.cause, &cause) || cause == x || strings.Contains(x.text, cause.named()) {
			break
		}
		b.WriteString("\nCaused by: " + cause.named())
		x = cause
	}
	return b.String()
}

// isInterrupt reports whether a command failed because of Ctrl-C or a signal. It then ends without a word, as Kafka's tools do.
func isInterrupt(err error) bool { return errors.Is(err, context.Canceled) }

func throw(class, format string, args ...any) *exception {
	return &exception{class: class, text: fmt.Sprintf(format, args...)}
}

// brokerError is the exception of an error code, with the broker's text if it sent one. Code 0 is nil.
func brokerError(code int16, message *string) error {
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
	return &exception{class: "org.apache.kafka.common." + known.class, text: text, cause: kerr.ErrorForCode(code)}
}

// asException gives any error the name Kafka would give it. call is the name of the request for time-outs.
func asException(err error, call string) *exception {
	if e, ok := errors.AsType[*exception](err); ok {
		return e
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		if x, ok := errors.AsType[*exception](brokerError(e.Code, nil)); ok {
			return x
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &exception{class: classTimeout, text: "Timed out waiting for a node assignment. Call: " + call, cause: err}
	}
	if errors.Is(err, context.Canceled) {
		return &exception{class: "java.lang.InterruptedException", text: "interrupted", cause: err}
	}
	text := err.Error()
	if strings.Contains(text, "broker is too old") || strings.Contains(text, "unknown request key") {
		return &exception{class: classUnsupported, text: "The broker does not support " + call, cause: err}
	}
	return &exception{class: classKafka, text: text, cause: err}
}

// named is an error as Kafka's log shows it: the exception's name and text.
func named(err error) string {
	if n, ok := errors.AsType[namedError](err); ok {
		return n.named()
	}
	return err.Error()
}

// namedError is an error with the name of a Java class: an exception, or a refusal by a parser of options.
type namedError interface {
	error
	named() string
}

// execution is a failure that reached Kafka's tool through a future: its message is the name and text of the cause.
func execution(err error) error {
	return &exception{class: classExecution, text: named(err), cause: err}
}

// isException reports whether an error is an exception of a class.
func isException(err error, class string) bool {
	x, ok := errors.AsType[*exception](err)
	return ok && x.class == class
}
