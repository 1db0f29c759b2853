package cli

import (
	"context"
	"testing"
	"time"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
	"github.com/stretchr/testify/require"
)

// TestHealthEndsWithoutAWordByCtrlC, as all tools do.
func TestHealthEndsWithoutAWordByCtrlC(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	code, out, errs := verbOutput(ctx, newHealthCommand, "--wait", "30s", "localhost:1")
	require.Equal(t, exitInterrupted, code)
	require.Empty(t, out+errs)
}

// TestHealthTriesTheAdvertisedAddress: clients are sent there.
func TestHealthTriesTheAdvertisedAddress(t *testing.T) {
	t.Parallel()
	health := func(b *bote.Broker) (int, string) {
		code, out, errs := verbOutput(t.Context(), newHealthCommand, "--timeout", "2s", b.Addr())
		return code, out + errs
	}
	code, says := health(botetest.New(t))
	require.Zero(t, code, says)
	code, says = health(botetest.New(t, botetest.WithConfig(func(c *bote.Config) {
		c.Listen = ""
		c.Properties["listeners"] = "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0"
		c.Properties["advertised.listeners"] = "PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2"
	})))
	require.Equal(t, exitError, code)
	require.Contains(t, says, "broker 1 tells clients to connect to 127.0.0.1:1 (advertised.listeners), where it does not answer")
}
