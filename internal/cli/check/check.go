// Package check owns bote check, which looks for damage in the data directory of a stopped broker. It owns the flags and the
// report. Packages commitlog and localmeta find the damage.
package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
	"github.com/botehq/bote/internal/meta/localmeta"
	"github.com/botehq/bote/internal/storage/commitlog"
	"github.com/botehq/bote/internal/topic"
)

// exitNotChecked is the exit code if the directory could not be checked. tool.ExitError means that damage was found.
const exitNotChecked = 2

// options are the flags of check.
type options struct {
	topic  string
	deep   bool
	output verb.Output
}

func (o *options) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.topic, "topic", "", "check only the partitions of this `topic`")
	f.BoolVar(&o.deep, "deep", true, "also decompress every batch and check its records; with --deep=false, check all other files and the checksums of batches")
	o.output.AddFlag(f)
}

// NewCommand is bote check.
func NewCommand(s *tool.Streams) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a data directory for damage",
		Long: "Read all files in the data directory of a stopped broker, and report what is damaged, where, and with which consequences. Nothing is written.\n" +
			"The exit code is 0 if all is well, 1 if there is damage, and 2 if the directory could not be checked, for example because a broker is using it.",
		Example:       "  bote check data\n  bote check data --topic orders --output json",
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return notChecked(s, errors.New("usage: "+c.UseLine()))
			}
			asJSON, err := o.output.JSON()
			if err != nil {
				return notChecked(s, err)
			}
			report, err := o.run(c.Context(), s, args[0])
			if c.Context().Err() != nil {
				s.Remark("Interrupted; nothing was changed.\n")
				return verb.CodeError(tool.Interrupted(c.Context()))
			}
			if err != nil {
				return notChecked(s, err)
			}
			if err := printReport(s, report, asJSON); err != nil {
				return notChecked(s, err)
			}
			if report.Damaged() > 0 {
				return verb.CodeError(tool.ExitError)
			}
			return nil
		},
	}
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return notChecked(s, err) })
	o.addFlags(c)
	return c
}

func notChecked(s *tool.Streams, err error) error {
	s.Remark("Error: %s\n", err)
	return verb.CodeError(exitNotChecked)
}

// run checks the directory and reports its progress on stderr.
func (o *options) run(ctx context.Context, s *tool.Streams, dir string) (*commitlog.CheckReport, error) {
	cfg := commitlog.CheckConfig{Dir: dir, Topic: o.topic, Shallow: !o.deep, Progress: new(commitlog.CheckProgress)}
	cfg.Metadata = func() (map[string]commitlog.CheckTopic, []commitlog.Finding, error) { return metadataOf(dir) }
	stop := showProgress(s, cfg.Progress)
	report, err := commitlog.Check(ctx, cfg)
	stop()
	if errors.Is(err, commitlog.ErrNothingToCheck) || errors.Is(err, commitlog.ErrInUse) {
		return nil, err //nolint:wrapcheck // it names the directory
	}
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", dir, err)
	}
	return report, nil
}

// botesMetadata is bote's metadata file. A directory of Apache Kafka does not have it.
const botesMetadata = "bote-meta.db"

// metadataOf checks the metadata file. It returns the topics and the damage in it.
func metadataOf(dir string) (topics map[string]commitlog.CheckTopic, findings []commitlog.Finding, err error) {
	damage := func(format string, args ...any) commitlog.Finding {
		return commitlog.Finding{Damage: true, Partition: -1, Position: -1, Entry: -1, Offset: -1, File: botesMetadata, Text: fmt.Sprintf(format, args...)}
	}
	entries, err := localmeta.Check(filepath.Join(dir, botesMetadata))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case errors.Is(err, localmeta.ErrInUse):
		return nil, nil, commitlog.ErrInUse
	case errors.Is(err, localmeta.ErrDamaged):
		return nil, []commitlog.Finding{damage("%v; the broker refuses to start with it", err)}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("check the metadata: %w", err)
	}
	topics = map[string]commitlog.CheckTopic{}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Key, "t/")
		if !ok {
			if !json.Valid(e.Value) {
				findings = append(findings, damage("entry %q is not JSON; the broker refuses to start with it", e.Key))
			}
			continue
		}
		var of struct {
			ID         string `json:"id"`
			Partitions int32  `json:"partitions"`
			Config     struct {
				Policy string `json:"cleanup.policy"`
			} `json:"config"`
		}
		err := json.Unmarshal(e.Value, &of)
		id, idErr := topic.ParseID(of.ID)
		if err := errors.Join(err, idErr); err != nil {
			findings = append(findings, damage("topic %s: %v; the broker refuses to start with it", name, err))
			continue
		}
		topics[name] = commitlog.CheckTopic{ID: id, Partitions: of.Partitions, Compacted: strings.Contains(of.Config.Policy, "compact")}
	}
	return topics, findings, nil
}

const (
	progressOnTerminal = time.Second / 2
	progressInLog      = 10 * time.Second
)

// showProgress reports progress on stderr until stop is called. On a terminal it updates one line often; otherwise it rarely
// writes a line.
func showProgress(s *tool.Streams, p *commitlog.CheckProgress) (stop func()) {
	every, terminal := progressInLog, tool.IsTerminal(s.Err)
	if terminal {
		every = progressOnTerminal
	}
	began, quit, done := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for said := false; ; said = true {
			select {
			case <-quit:
				if said && terminal {
					s.Remark("\r\x1b[K")
				}
				return
			case <-tick.C:
			}
			line := progressLine(p, time.Since(began))
			if terminal {
				s.Remark("\r%s\x1b[K", line)
			} else {
				s.Remark("%s\n", line)
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

func progressLine(p *commitlog.CheckProgress, took time.Duration) string {
	done, total := p.Bytes()
	const mib = 1 << 20
	return fmt.Sprintf("%d of %d MiB checked, %.0f MiB/s", done/mib, total/mib, float64(done)/mib/took.Seconds())
}
