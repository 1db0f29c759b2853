package broker

import (
	"context"
	"log/slog"
)

// follower applies the changes that other brokers make in the catalog. It owns one
// goroutine.
type follower struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (f *follower) start(b *Broker) {
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.done = cancel, make(chan struct{})
	go func() {
		defer close(f.done)
		err := b.catalog.Follow(ctx, func(err error) {
			b.log.Error("a change of the catalog by another broker is not in force here", slog.Any("err", err))
		})
		if err != nil {
			b.log.Error("changes of the catalog by other brokers are not followed any more", slog.Any("err", err))
		}
	}()
}

// stop waits until no more changes are being applied. It may be called before start.
func (f *follower) stop() {
	if f.done == nil {
		return
	}
	f.cancel()
	<-f.done
}
