package partition_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/botehq/bote/internal/partition"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage"
)

// failing is a log that accepts batches and makes none durable.
type failing struct {
	storage.Log
	hooks storage.Hooks
	end   int64
}

func (f *failing) Start() int64 { return 0 }
func (f *failing) End() int64   { return f.end }

func (f *failing) Append(b record.Batch) error {
	f.end = b.NextOffset()
	return nil
}

func (f *failing) Headers(context.Context, int64, func(record.Batch) error) error { return nil }

// TestFencedAndBroken: clients of a log that another broker took over look for the new
// leader; clients of a log whose disk failed try again.
func TestFencedAndBroken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause error
		want  *kerr.Error
	}{
		"fenced": {fmt.Errorf("%w: in epoch 7", storage.ErrFenced), kerr.NotLeaderForPartition},
		"broken": {fmt.Errorf("%w: %w", storage.ErrFailed, errors.New("input/output error")), kerr.KafkaStorageError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &failing{}
			var told error
			p, err := partition.Open(t.Context(), func(h storage.Hooks) (storage.Log, storage.Recovered, error) {
				log.hooks = h
				return log, storage.Recovered{}, nil
			}, partition.Config{Settings: func() storage.Settings { return settings }, Failed: func(err error) { told = err }})
			require.NoError(t, err)
			answers := make(chan error, 2)
			p.Append(record.Build(1, record.KeyValue{Value: []byte("x")}), func(_ partition.Appended, err error) { answers <- err })
			require.Empty(t, answers)
			log.hooks.Failed(c.cause)
			require.ErrorIs(t, <-answers, c.want)
			require.ErrorIs(t, told, c.cause)
			p.Append(record.Build(1, record.KeyValue{Value: []byte("y")}), func(_ partition.Appended, err error) { answers <- err })
			require.ErrorIs(t, <-answers, c.want, "and so is what comes later")
			require.ErrorIs(t, p.Writable(), c.want)
		})
	}
}
