package cli

import "context"

// tool is one of Kafka's command-line tools. It gets the arguments behind its name and returns the exit code.
type tool func(ctx context.Context, s *streams, args []string) int
