package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/botehq/bote/delivery"
)

// Run runs all parts until ctx ends or one of them fails. Then it stops them from the
// top down: the API accepts nothing more, the worker finishes what it has begun, and
// the mail server and the broker stop last.
func (a *App) Run(ctx context.Context) error {
	var layers [][]delivery.Runner // the first one stops first
	if a.api != nil {
		layers = append(layers, []delivery.Runner{a.apiServer}, []delivery.Runner{a.api})
	}
	if a.worker != nil {
		layers = append(layers, []delivery.Runner{a.worker}, []delivery.Runner{a.workerServer})
	}
	if a.smtp != nil {
		layers = append(layers, []delivery.Runner{a.smtp})
	}
	if a.watch != nil {
		layers = append(layers, []delivery.Runner{a.watch})
	}
	if a.broker != nil {
		layers = append(layers, []delivery.Runner{serveBroker{a.broker.Serve}})
	}
	return errors.Join(runLayers(ctx, layers), a.closeBroker())
}

// serveBroker lets the broker be a Runner.
type serveBroker struct {
	serve func(context.Context) error
}

// Run implements delivery.Runner.
func (b serveBroker) Run(ctx context.Context) error { return b.serve(ctx) }

// runLayers runs the layers together, and stops each one when the one before it has
// stopped.
func runLayers(ctx context.Context, layers [][]delivery.Runner) error {
	first, fail := context.WithCancel(ctx)
	defer fail()
	var (
		mu   sync.Mutex
		errs []error
	)
	above := first.Done()
	var all sync.WaitGroup
	for _, layer := range layers {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		turn, stopped := above, make(chan struct{})
		all.Go(func() {
			<-turn
			stop()
		})
		all.Go(func() {
			defer close(stopped)
			if err := delivery.Run(own, layer...); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
			fail()
			<-turn
		})
		above = stopped
	}
	all.Wait()
	return errors.Join(errs...)
}

// readyPause is the time between two looks at a state that sends no event.
const readyPause = 10 * time.Millisecond

// AwaitReady waits until the parts work, and reports true, or until ctx ends.
func (a *App) AwaitReady(ctx context.Context) bool {
	if a.api != nil {
		select {
		case <-a.api.Ready():
		case <-ctx.Done():
			return false
		}
	}
	if a.worker == nil {
		return true
	}
	look := time.NewTicker(readyPause)
	defer look.Stop()
	for a.worker.Ready() != nil || !a.worker.Assigned() {
		select {
		case <-look.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
