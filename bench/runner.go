package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/botehq/bote/bench/broker"
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
	"github.com/botehq/bote/bench/report"
)

// The names of the columns.
const (
	kafka      = "kafka"
	boteOS     = "bote-os"
	boteCommit = "bote-commit"
	bareOS     = "bare-os"
	bareCommit = "bare-commit"
)

// column is a broker that is measured, or the bare program.
type column struct {
	name, title string
	kind        broker.Kind
}

// bare reports whether the column is the bare program, which can answer the raw client
// only.
func (c column) bare() bool {
	_, ok := c.kind.(broker.Bare)
	return ok
}

// cell is one measurement of one broker.
type cell struct {
	name, about string
	within      time.Duration // the cell fails if it takes longer
	raw         bool          // it uses the raw client only, so the bare program is measured too
	run         func(ctx context.Context, s *session) (load.Result, error)
}

// group is cells that are measured one after the other on the same broker process,
// after a warm-up if warmUp is set.
type group struct {
	name   string
	heavy  bool // measured in one round only, and in a quick pass only if asked for
	warmUp bool
	pinned bool // the broker has one core, and the client another
	cells  []cell
}

// of returns the group with only those cells that can be measured on a column.
func (g group) of(c column) group {
	if c.bare() {
		g.cells = slices.DeleteFunc(slices.Clone(g.cells), func(c cell) bool { return !c.raw })
	}
	return g
}

// selected returns, in their order, the cells whose name or whose group's name
// matches one of the patterns. Without a pattern it returns all cells, except the
// heavy ones in a quick pass, and recovery unless it is wanted.
func selected(all []group, only string, quick, recovery bool) ([]group, error) {
	if only == "" {
		return slices.DeleteFunc(all, func(g group) bool { return (quick && g.heavy) || (!recovery && g.name == "large") }), nil
	}
	used := map[string]bool{}
	var some []group
	for _, g := range all {
		var cells []cell
		for _, c := range g.cells {
			found := false
			for pattern := range strings.SplitSeq(only, ",") {
				if matches(pattern, g.name) || matches(pattern, c.name) {
					used[pattern], found = true, true
				}
			}
			if found {
				cells = append(cells, c)
			}
		}
		if g.cells = cells; len(cells) > 0 {
			some = append(some, g)
		}
	}
	for pattern := range strings.SplitSeq(only, ",") {
		if !used[pattern] {
			return nil, fmt.Errorf("no cell %q; -list says which there are", pattern)
		}
	}
	return some, nil
}

// matches reports whether a pattern matches a name; a malformed pattern matches
// none.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// runner measures cells and keeps the results.
type runner struct {
	work, self string
	rounds     int
	columns    []column
	data       *report.Data
	remarks    io.Writer
	save       func() error // called after each group, so that nothing measured is lost

	sessions int // count so far, for the names of directories
}

// run measures the groups, round by round: each group on each broker in turn.
func (r *runner) run(ctx context.Context, groups []group) error {
	for round := range r.rounds {
		for _, g := range groups {
			if g.heavy && round > 0 {
				continue
			}
			for _, c := range r.columns {
				g := g.of(c)
				if len(g.cells) == 0 {
					continue
				}
				r.remark("round %d, %s, %s", round+1, g.name, c.title)
				if err := r.measure(ctx, g, c); err != nil {
					return err
				}
			}
			if err := r.save(); err != nil {
				return err
			}
		}
	}
	return nil
}

// measure measures the cells of a group on one broker. A cell that fails is
// reported as failed, and the next one gets a fresh broker.
func (r *runner) measure(ctx context.Context, g group, c column) error {
	s := &session{runner: r, column: c, warmUp: g.warmUp, pinned: g.pinned}
	defer s.remove()
	for _, cell := range g.cells {
		began := time.Now()
		result, err := s.measure(ctx, cell)
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %w", context.Cause(ctx))
		}
		r.data.Add(cell.name, c.name, result, err)
		if err != nil {
			r.remark("  %-20s failed: %s", cell.name, err)
			s.remove()
			continue
		}
		r.remark("  %-20s %5.1f s  %s", cell.name, time.Since(began).Seconds(), report.Summary(cell.name, result, sections()))
	}
	return nil
}

func (r *runner) remark(format string, args ...any) {
	_, _ = fmt.Fprintf(r.remarks, format+"\n", args...)
}

// session is one broker of a column, while cells are measured on it.
type session struct {
	*runner
	column column
	warmUp bool
	pinned bool

	broker *broker.Broker // nil before it is needed
	topics int            // count so far, for their names
}

func (s *session) measure(ctx context.Context, c cell) (load.Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.within, fmt.Errorf("it took more than %s", c.within))
	defer cancel()
	result, err := c.run(ctx, s)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return result, err
}

// fresh prepares another broker of the column.
func (s *session) fresh(ctx context.Context) (*broker.Broker, error) {
	var core int
	if s.pinned {
		var err error
		if core, _, err = twoCores(); err != nil {
			return nil, err
		}
	}
	s.sessions++
	b, err := broker.New(ctx, s.column.kind, filepath.Join(s.work, fmt.Sprintf("%s-%d", s.column.name, s.sessions)))
	if err == nil && s.pinned {
		b.Pin(core)
	}
	return b, err //nolint:wrapcheck // says what it did
}

// twoCores returns the core of the broker and the core of the client.
func twoCores() (broker, client int, err error) {
	cores, err := proc.Cores()
	if err != nil {
		return 0, 0, err //nolint:wrapcheck // says what it did
	}
	return firstTwo(cores)
}

func firstTwo(cores []int) (broker, client int, err error) {
	if len(cores) < 2 {
		return 0, 0, fmt.Errorf("broker and client need a core each, but there are %d", len(cores))
	}
	return cores[0], cores[1], nil
}

// ready returns the session's broker, started and at rest: warmed up if need be,
// with nothing left to be written to the disk, and with its peak memory counted
// from now on.
func (s *session) ready(ctx context.Context) (*broker.Broker, error) {
	if s.broker != nil && !s.broker.Alive() {
		s.remove()
	}
	if s.broker == nil {
		b, err := s.fresh(ctx)
		if err != nil {
			return nil, err
		}
		s.broker = b
		if _, err := b.Start(ctx); err != nil {
			return nil, err //nolint:wrapcheck // says what it did
		}
		if err := s.warm(ctx); err != nil {
			return nil, fmt.Errorf("warm up: %w", err)
		}
	}
	if err := proc.Sync(s.broker.Dir()); err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	return s.broker, proc.ResetPeak(s.broker.PID()) //nolint:wrapcheck // says what it did
}

// warm makes the broker do a little of everything, so that a virtual machine has
// compiled what is measured.
func (s *session) warm(ctx context.Context) error {
	if !s.warmUp {
		return nil
	}
	if s.pinned {
		if err := s.warmRaw(ctx); err != nil {
			return err
		}
	}
	if s.column.bare() {
		return nil
	}
	o := s.options("produce")
	o.Records = 300_000
	if _, err := s.load(ctx, o); err != nil {
		return err
	}
	o.Mode = "consume"
	if _, err := s.load(ctx, o); err != nil {
		return err
	}
	o = s.options("e2e")
	o.Rate, o.Time = 5000, 3*time.Second
	_, err := s.load(ctx, o)
	return err
}

// options returns the options of a load on a new topic of the session's broker. The
// bare program makes topics by itself.
func (s *session) options(mode string) load.Options {
	s.topics++
	o := load.Defaults()
	o.Mode, o.Bootstrap, o.PID = mode, s.broker.Address(), s.broker.PID()
	o.Topic = fmt.Sprintf("bench-%d", s.topics)
	o.Fresh = !s.column.bare()
	return o
}

// load runs a load in its own process, and on its own core if the session is pinned.
func (s *session) load(ctx context.Context, o load.Options) (load.Result, error) {
	var out, remarks bytes.Buffer
	command := exec.CommandContext(ctx, s.self, append([]string{"load"}, o.Args()...)...) //nolint:gosec // this program
	command.Stdout, command.Stderr = &out, &remarks
	if err := s.runClient(command); err != nil {
		return nil, fmt.Errorf("load %s: %w: %s", o.Mode, err, strings.TrimSpace(remarks.String()))
	}
	var result load.Result
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		return nil, fmt.Errorf("load %s: %w", o.Mode, err)
	}
	return result, nil
}

func (s *session) runClient(command *exec.Cmd) error {
	if !s.pinned {
		return command.Run() //nolint:wrapcheck // the caller says what it was
	}
	_, core, err := twoCores()
	if err != nil {
		return err
	}
	if err := proc.StartOn(command, core); err != nil {
		return err //nolint:wrapcheck // the caller says what it was
	}
	return command.Wait() //nolint:wrapcheck // likewise
}

// remove ends the broker and removes its data; the next cell gets a new broker.
func (s *session) remove() {
	if s.broker == nil {
		return
	}
	if err := s.broker.Remove(); err != nil {
		s.remark("  %s", err)
	}
	s.broker = nil
}

// prefixed adds a result to another, with a prefix before each name.
func prefixed(to load.Result, prefix string, result load.Result) {
	for name, value := range maps.All(result) {
		to[prefix+name] = value
	}
}
