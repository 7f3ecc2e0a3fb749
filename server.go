// Command kvarter answers questions about housing areas and cohorts of children.
package main

//go:generate go run ./internal/contract/generate

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kvarter/kvarter/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who interrupts a second time waits for nothing
	os.Exit(command.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
