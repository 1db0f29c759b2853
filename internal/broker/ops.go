package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/botehq/bote/internal/ops"
)

// openConsole binds console.listeners. It comes before the recovery of the log, so that
// the pages show meanwhile that the process is alive and not ready yet.
func (b *Broker) openConsole(ctx context.Context) error {
	if len(b.settings.Console) == 0 {
		return nil
	}
	if b.cfg.Registerer == nil {
		r := prometheus.NewRegistry()
		r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		b.cfg.Registerer = r
	}
	gatherer, ok := b.cfg.Registerer.(prometheus.Gatherer)
	if !ok {
		return errors.New("console.listeners needs a Registerer that gathers, as a prometheus.Registry does")
	}
	b.observe(b.cfg.Registerer)
	c := ops.Config{Gatherer: gatherer, Checks: []ops.Check{
		{Name: "log recovered", Run: waiting(&b.opened)},
		{Name: "listeners up", Run: waiting(&b.serving)},
		{Name: "disk writable", Run: b.writable},
	}}
	for _, address := range b.settings.Console {
		s, err := ops.Listen(ctx, address, c, b.log)
		if err != nil {
			return err
		}
		b.console = append(b.console, s)
	}
	return nil
}

// ConsoleAddrs returns the bound addresses of console.listeners.
func (b *Broker) ConsoleAddrs() []string {
	var out []string
	for _, s := range b.console {
		out = append(out, s.Addr())
	}
	return out
}

// waiting returns a check of a flag.
func waiting(flag interface{ Load() bool }) func(context.Context) error {
	return func(context.Context) error {
		if !flag.Load() {
			return errors.New("not yet, or not any more")
		}
		return nil
	}
}

// probeFile is written and removed to test whether the disk accepts data.
const probeFile = ".ready-probe"

// probe tests whether the disk accepts data. All callers share one test at a time, so a
// disk that does not answer blocks only one goroutine, however many callers there are.
type probe struct {
	running sync.WaitGroup

	mu  sync.Mutex
	now *look // nil if no test is in progress
}

// look is one test of the disk.
type look struct {
	began time.Time
	done  chan struct{}
	err   error // valid once done is closed
}

// run waits for the test in progress, or starts one.
func (p *probe) run(ctx context.Context, try func() error) error {
	p.mu.Lock()
	l := p.now
	if l == nil {
		l = &look{began: time.Now(), done: make(chan struct{})}
		p.now = l
		p.running.Go(func() {
			l.err = try()
			p.mu.Lock()
			p.now = nil
			p.mu.Unlock()
			close(l.done)
		})
	}
	p.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return fmt.Errorf("the disk has not answered for %v", time.Since(l.began).Round(time.Millisecond))
	}
}

func (b *Broker) writable(ctx context.Context) error { return b.diskProbe.run(ctx, b.writeProbe) }

func (b *Broker) writeProbe() error {
	name := filepath.Join(b.settings.LogDirs[0], probeFile)
	f, err := b.cfg.FS.OpenFile(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("create a file: %w", err)
	}
	_, err = f.WriteAt([]byte{0}, 0)
	return errors.Join(err, f.Close(), b.cfg.FS.Remove(name))
}

// observe registers metrics that belong to no single part.
func (b *Broker) observe(r prometheus.Registerer) {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	r.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bote_build_info", Help: "Always 1; the labels say what runs.", ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bote_disk_free_bytes", Help: "Free space of the file system with the data directory.",
		}, func() float64 {
			_, free, err := b.cfg.FS.Space(b.settings.LogDirs[0])
			if err != nil {
				return 0
			}
			return float64(free)
		}),
	)
}
