package config

import "fmt"

// Error is a refused configuration. Its text is Kafka's.
type Error struct {
	// Text is the message without any prefix.
	Text string
	// Class is the exception that Kafka throws with this text.
	Class string
	// Advice tells the operator what to do. bote serve prints it below the error. It is
	// empty for most errors.
	Advice string
}

// The exceptions that Kafka throws for refused configurations.
const (
	ClassConfig   = "org.apache.kafka.common.config.ConfigException"
	ClassArgument = "java.lang.IllegalArgumentException"
	ClassInvalid  = "org.apache.kafka.common.errors.InvalidConfigurationException"
)

// Error returns Kafka's text.
func (e *Error) Error() string { return e.Text }

func refuse(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Class: ClassConfig}
}

func refuseValue(name, value, format string, args ...any) error {
	return refuse("Invalid value %s for configuration %s: %s", value, name, fmt.Sprintf(format, args...))
}

// demand is Scala's require: it adds the prefix that Kafka's start-up errors have.
func demand(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return &Error{Text: "requirement failed: " + fmt.Sprintf(format, args...), Class: ClassArgument}
}

// UnknownName is the error for a name that the kind does not have.
func UnknownName(kind Kind, name string) error {
	if kind == MetricsKind {
		return &Error{Text: "Unknown client metrics configuration: " + name, Class: ClassInvalid}
	}
	return &Error{Text: fmt.Sprintf("Unknown %s config name: %s", kind, name), Class: ClassInvalid}
}
