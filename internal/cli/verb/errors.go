package verb

import "fmt"

// CodeError ends a verb that has said everything already.
type CodeError int

// Error says the code.
func (e CodeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// UsageError is a command line that cannot be understood.
type UsageError struct{ Err error }

// Error says what is wrong with it.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with it.
func (e UsageError) Unwrap() error { return e.Err }
