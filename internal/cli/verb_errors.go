package cli

import "fmt"

// codeError ends a verb that has said everything already.
type codeError int

// Error says the code.
func (e codeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// wordsError is a command line that cannot be understood.
type wordsError struct{ err error }

// Error says what is wrong with it.
func (e wordsError) Error() string { return e.err.Error() }

// Unwrap returns what is wrong with it.
func (e wordsError) Unwrap() error { return e.err }
