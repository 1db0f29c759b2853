// Command bench measures bote and Apache Kafka on this machine, in turn and with
// the same clients, and writes a table of the results.
//
// It owns the list of what is measured (cells), the order of the measurements, and
// the targets. Package broker starts the brokers, load puts load on them, and
// report writes the tables.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/botehq/bote/bench/bare"
	"github.com/botehq/bote/bench/broker"
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
	"github.com/botehq/bote/bench/report"
)

const usage = `Usage: go run ./bench [flags]
       go run ./bench load [flags]      the client alone, against any broker; load -h has its flags
       go run ./bench bare [flags]      the bare program alone, for load -mode raw-produce and raw-consume

Measures Apache Kafka and bote on this machine, one broker at a time, each with a
fresh data directory, several rounds in turn, and writes table.md and result.json.
In the group pinned, broker and client have a core each, and a bare program in the
broker's place shows what the kernel alone costs.
Needs Linux, Go, 30 GB of free disk; for Kafka also Java 17, and Maven once.
All of it takes about 50 minutes on two cores, -quick less than 10.

  go run ./bench -quick                                 a first look
  go run ./bench -only partitions1000 -brokers bote     one cell, without Kafka
  go run ./bench -only 'e2e*,base' -rounds 5            some cells, more rounds
  go run ./bench -only pinned                           a core each, beside the bare program
  go run ./bench -docs docs/performance.md              everything, into the documentation

Flags:
`

// options are the flags.
type options struct {
	quick     bool
	list      bool
	only      string
	brokers   string
	rounds    int
	out       string
	data      string
	docs      string
	bote      string
	kafkaHome string
	heap      string
	recovery  bool
}

func (o *options) addFlags(f *flag.FlagSet) {
	f.BoolVar(&o.quick, "quick", false, "one round, less data, no heavy cells (10,000 partitions, recovery of 10 GB)")
	f.BoolVar(&o.list, "list", false, "say which cells there are, and end")
	f.StringVar(&o.only, "only", "", "measure only these cells: comma-separated `NAMES` of cells or groups; * stands for anything")
	f.StringVar(&o.brokers, "brokers", "kafka,bote,bare", "measure these: kafka, bote (both settings), bote-os, bote-commit; and bare, the bare program (without and with syncs), bare-os, bare-commit")
	f.IntVar(&o.rounds, "rounds", 0, "how many rounds; 0 is 3, or 1 with -quick. The heavy cells run once in any case")
	f.StringVar(&o.out, "out", "bench.out", "`directory` for table.md and result.json")
	f.StringVar(&o.data, "data", "", "`directory` for the brokers' data, on the disk in question; default the temporary directory")
	f.StringVar(&o.docs, "docs", "", "also put the table between the markers in this `file`")
	f.StringVar(&o.bote, "bote", "", "bote `program` to measure; default it is built from this tree")
	f.StringVar(&o.kafkaHome, "kafka-home", os.Getenv("KAFKA_HOME"), "`directory` whose libs hold Kafka; default KAFKA_HOME, else test/compat's, installed if need be")
	f.StringVar(&o.heap, "kafka-heap", "1g", "Kafka's heap")
	f.BoolVar(&o.recovery, "recovery", true, "measure the recovery of 10 GB too; it takes some minutes")
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	os.Exit(code)
}

// run is main with all its inputs as arguments; it returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	if len(args) > 0 && args[0] == "load" {
		return load.Main(ctx, args[1:], out, errOut)
	}
	if len(args) > 0 && args[0] == "bare" {
		return bare.Main(ctx, args[1:], errOut)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Usage = func() {
		_, _ = io.WriteString(errOut, usage)
		flags.PrintDefaults()
	}
	var o options
	o.addFlags(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if o.rounds == 0 {
		o.rounds = 3
		if o.quick {
			o.rounds = 1
		}
	}
	if err := o.measure(ctx, out, errOut); err != nil {
		_, _ = fmt.Fprintf(errOut, "bench: %s\n", err)
		return 1
	}
	return 0
}

// measure does what the flags say.
func (o *options) measure(ctx context.Context, out, errOut io.Writer) error {
	plan, err := selected(groups(o.quick), o.only, o.quick, o.recovery)
	if err != nil {
		return err
	}
	if o.list {
		for _, g := range plan {
			for _, c := range g.cells {
				_, _ = fmt.Fprintf(out, "%-12s %-20s %s\n", g.name, c.name, c.about)
			}
		}
		return nil
	}
	if _, err := proc.RaiseFileLimit(); err != nil {
		return err //nolint:wrapcheck // says it all
	}
	work, err := os.MkdirTemp(o.data, "bote-bench-")
	if err != nil {
		return fmt.Errorf("make working directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // what is left is in the temporary directory
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	data, columns, err := o.columns(ctx, work, self)
	if err != nil {
		return err
	}
	r := runner{work: work, self: self, rounds: o.rounds, columns: columns, data: data, remarks: errOut, save: func() error { return o.write(data) }}
	if err := r.run(ctx, plan); err != nil {
		return err
	}
	if err := o.write(data); err != nil {
		return err
	}
	return report.Markdown(out, data, sections()) //nolint:wrapcheck // says it all
}

// columns makes the brokers that were asked for, and a report with a column for
// each. This program is also the bare program.
func (o *options) columns(ctx context.Context, work, self string) (*report.Data, []column, error) {
	data := &report.Data{Began: time.Now().UTC().Truncate(time.Second), Machine: proc.Describe(work), Quick: o.quick, Versions: map[string]string{"bote": broker.Revision(ctx)}}
	binary := o.bote
	var columns []column
	for name := range strings.SplitSeq(o.brokers, ",") {
		switch name {
		case kafka:
			k, err := broker.FindKafka(ctx, o.kafkaHome, o.heap)
			if err != nil {
				return nil, nil, err //nolint:wrapcheck // says what is missing
			}
			data.Versions[kafka] = k.Version()
			columns = append(columns, column{name: kafka, title: "Kafka " + k.Version(), kind: k})
			continue
		case "bare", bareOS, bareCommit:
			if name != bareCommit {
				columns = append(columns, column{name: bareOS, title: "bare program", kind: broker.Bare{Binary: self}})
			}
			if name != bareOS {
				columns = append(columns, column{name: bareCommit, title: "bare program, syncs", kind: broker.Bare{Binary: self, Sync: true}})
			}
			continue
		case "bote", boteOS, boteCommit:
		default:
			return nil, nil, fmt.Errorf("no broker %q", name)
		}
		if binary == "" {
			binary = filepath.Join(work, "bote")
			if err := broker.Build(ctx, binary); err != nil {
				return nil, nil, err //nolint:wrapcheck // says what went wrong
			}
		}
		if name != boteCommit {
			columns = append(columns, column{name: boteOS, title: "bote, flush=os", kind: broker.Bote{Binary: binary, Flush: "os"}})
		}
		if name != boteOS {
			columns = append(columns, column{name: boteCommit, title: "bote, flush=commit", kind: broker.Bote{Binary: binary, Flush: "commit"}})
		}
	}
	for _, c := range columns {
		data.Columns = append(data.Columns, report.Column{Name: c.name, Title: c.title})
	}
	return data, columns, nil
}

// write writes table.md and result.json, and also the table in the documentation if
// that was asked for.
func (o *options) write(data *report.Data) error {
	data.Took = time.Since(data.Began).Round(time.Second)
	if err := report.Write(o.out, data, sections()); err != nil {
		return err //nolint:wrapcheck // says which file
	}
	if o.docs == "" {
		return nil
	}
	return report.UpdateDocs(o.docs, data, sections()) //nolint:wrapcheck // says which file
}
