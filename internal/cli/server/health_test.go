package server

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
	"github.com/botehq/bote/internal/cli/clitest"
	"github.com/botehq/bote/internal/cli/tool"
)

// TestHealthEndsWithoutAWordByCtrlC: Ctrl-C ends bote health without a message, as it ends all tools.
func TestHealthEndsWithoutAWordByCtrlC(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	code, out, errs := clitest.VerbOutput(ctx, NewHealthCommand, "--wait", "30s", "localhost:1")
	require.Equal(t, tool.ExitInterrupted, code)
	require.Empty(t, out+errs)
}

// TestHealthTriesTheAdvertisedAddress: that is where clients connect.
func TestHealthTriesTheAdvertisedAddress(t *testing.T) {
	t.Parallel()
	health := func(b *bote.Broker) (int, string) {
		code, out, errs := clitest.VerbOutput(t.Context(), NewHealthCommand, "--timeout", "2s", b.Addr())
		return code, out + errs
	}
	code, says := health(botetest.New(t))
	require.Zero(t, code, says)
	code, says = health(botetest.New(t, botetest.WithConfig(func(c *bote.Config) {
		c.Listen = ""
		c.Properties["listeners"] = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"
		c.Properties["advertised.listeners"] = "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"
	})))
	require.Equal(t, tool.ExitError, code)
	require.Contains(t, says, "broker 1 tells clients to connect to 127.0.0.1:1 (advertised.listeners), but does not answer there")
}
