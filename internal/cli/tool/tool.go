// Package tool owns what all commands share: Streams, exit codes, the versions that they print, and properties as Java's files
// and options hold them. It knows neither brokers nor option parsers.
package tool

import "context"

// Func is one of Kafka's command-line tools. args are the arguments after the tool's name. It returns the exit code.
type Func func(ctx context.Context, s *Streams, args []string) int
