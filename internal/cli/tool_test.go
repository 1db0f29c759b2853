package cli

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestISODuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1D": 24 * time.Hour, "P1DT2H": 26 * time.Hour, "PT0.5S": 500 * time.Millisecond, "-PT1M": -time.Minute, "PT-1M": -time.Minute, "PT1H2M3S": time.Hour + 2*time.Minute + 3*time.Second,
	} {
		got, err := isoDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "1d", "P1H", "P1DT", "PT1D"} {
		_, err := isoDuration(text)
		require.EqualError(t, err, "Text cannot be parsed to a Duration", text)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT5H": 5 * time.Hour, "pt5h": 5 * time.Hour, "P1DT1M1.5S": 24*time.Hour + time.Minute + 1500*time.Millisecond,
		"-PT1S": -time.Second, "PT-1.5S": -1500 * time.Millisecond, "P106751D": 106751 * 24 * time.Hour,
	} {
		got, err := isoDuration(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "P", "PT", "5h", "P106752D", "PT99999999999999999999S", "P9223372036854775807D"} {
		_, err := isoDuration(text)
		require.Error(t, err, text)
	}
	for _, text := range []string{"2024-01-01T00:00:00.000+02", "2024-01-01T00:00:00+02", "2024-01-01T00:00:00.000+02:00"} {
		at, err := parseDateTime(text)
		require.NoError(t, err, text)
		require.Equal(t, "2023-12-31T22:00:00Z", at.UTC().Format(time.RFC3339))
	}
}

func TestInterruptedBySignal(t *testing.T) {
	for want, cause := range map[int]error{exitInterrupted: context.Canceled, exitTerminated: errors.New("terminated signal received")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		require.Equal(t, want, interrupted(ctx))
	}
}
