package tool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/cli/tool"
)

func TestISODuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1D": 24 * time.Hour, "P1DT2H": 26 * time.Hour, "PT0.5S": 500 * time.Millisecond, "-PT1M": -time.Minute, "PT-1M": -time.Minute, "PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second,
	} {
		got, err := tool.ParseISODuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "1d", "P1H", "P1DT", "PT1D"} {
		_, err := tool.ParseISODuration(text)
		require.EqualError(t, err, "Text cannot be parsed to a Duration", text)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT5H": 5 * time.Hour, "pt5h": 5 * time.Hour, "P1DT1M1.5S": 24*time.Hour + time.Minute + 1500*time.Millisecond,
		"-PT1S": -time.Second, "PT-1.5S": -1500 * time.Millisecond, "P106751D": 106751 * 24 * time.Hour,
	} {
		got, err := tool.ParseISODuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "5h", "P106752D", "PT99999999999999999999S", "P9223372036854775807D"} {
		_, err := tool.ParseISODuration(text)
		require.Error(t, err, text)
	}
}

func TestInterruptedBySignal(t *testing.T) {
	for want, cause := range map[int]error{tool.ExitInterrupted: context.Canceled, tool.ExitTerminated: errors.New("terminated signal received")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		require.Equal(t, want, tool.Interrupted(ctx))
	}
}
