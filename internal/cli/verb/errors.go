package verb

import "fmt"

// CodeError ends a command that has already printed its messages. It is the exit code.
type CodeError int

// Error names the exit code.
func (e CodeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// UsageError is the error of a wrong command line.
type UsageError struct{ Err error }

// Error says what is wrong with the command line.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error below.
func (e UsageError) Unwrap() error { return e.Err }
