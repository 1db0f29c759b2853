// Command bote-notify is the reference app of bote: a service that sends emails,
// SMS and order confirmations, with retries, dead letters and alerts. Without
// arguments everything runs in one process; see README.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/botehq/bote/examples/notify/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := command.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}
