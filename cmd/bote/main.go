// Command bote is one program for the broker and its tools; see package cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/botehq/bote/internal/cli"
	"github.com/botehq/bote/internal/cli/server"
)

func main() {
	server.CoarseTimers(os.Args)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
