// Package tool owns what every command has in common: its Streams, its exit codes, the versions that it prints, and properties as
// Java's files and options have them. It knows no broker, and no parser of options.
package tool

import "context"

// Func is one of Kafka's command-line tools. It gets the arguments behind its name and returns the exit code.
type Func func(ctx context.Context, s *Streams, args []string) int
