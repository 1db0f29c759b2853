package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/botehq/bote/internal/ops"
)

// openConsole binds console.listeners, before the log is recovered: that the
// process lives, and is not ready yet, is to be seen meanwhile.
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

// ConsoleAddrs are the bound addresses of console.listeners.
func (b *Broker) ConsoleAddrs() []string {
	var out []string
	for _, s := range b.console {
		out = append(out, s.Addr())
	}
	return out
}

// waiting makes a check of a flag.
func waiting(flag interface{ Load() bool }) func(context.Context) error {
	return func(context.Context) error {
		if !flag.Load() {
			return errors.New("not yet, or not any more")
		}
		return nil
	}
}

// probeFile is written and removed to see whether the disk takes data.
const probeFile = ".ready-probe"

func (b *Broker) writable(context.Context) error {
	b.probing.Lock()
	defer b.probing.Unlock()
	name := filepath.Join(b.settings.LogDirs[0], probeFile)
	f, err := b.cfg.FS.OpenFile(name, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("create a file: %w", err)
	}
	_, err = f.WriteAt([]byte{0}, 0)
	return errors.Join(err, f.Close(), b.cfg.FS.Remove(name))
}

// observe registers what belongs to no single part.
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
