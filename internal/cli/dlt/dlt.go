// Package dlt owns bote dlt, which lists, shows, counts, redrives and discards dead letters. Package delivery/dlt decides what
// a dead letter is and does the work; this package owns the flags and the output.
package dlt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// options are the flags that all subcommands of bote dlt share.
type options struct {
	servers string
	config  string
	output  verb.Output
}

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVarP(&o.servers, "bootstrap-server", "b", "localhost:9092", "brokers to connect to, as `host:port,...`")
	f.StringVar(&o.config, "command-config", "", "properties `file` with client settings, such as for SASL and TLS")
	o.output.AddFlag(f)
}

// NewCommand is bote dlt.
func NewCommand(s *tool.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "dlt",
		Short: "List, show, count, redrive and discard the records in dead-letter topics",
		Long: "List, show, count, redrive and discard the records in dead-letter topics.\n\n" +
			"The records may come from bote's delivery library or from Spring for Apache Kafka. No record is\n" +
			"deleted: the topic <dead-letter topic>-bote-state stores what was done with each record.",
		Example: "  bote dlt ls\n" +
			"  bote dlt count orders.dlt\n" +
			"  bote dlt show orders.dlt 0:12\n" +
			"  bote dlt redrive orders.dlt --to-group mail --class exhausted\n" +
			"  bote dlt discard orders.dlt --at 0:12 --reason typo",
	}
	o.addFlags(cmd)
	cmd.AddCommand(newListCommand(s, o), newShowCommand(s, o), newCountCommand(s, o),
		newRedriveCommand(s, o), newDiscardCommand(s, o))
	return cmd
}

// open connects, calls f, and disconnects.
func (o *options) open(ctx context.Context, s *tool.Streams, f func(*delivery.Client) error) error {
	settings, err := tool.OptionalProperties(o.config)
	if err != nil {
		return err
	}
	c := &client.Settings{Properties: settings}
	seeds, err := client.Seeds(ctx, s, o.servers)
	if err != nil {
		return err
	}
	opts, err := client.SecurityOptions(c)
	if err != nil {
		return err
	}
	client, err := delivery.Dial(seeds, delivery.WithClientID(c.Get("client.id", "bote-dlt")), delivery.WithKgo(opts...),
		delivery.WithLogger(slog.New(slog.NewTextHandler(s.Err, &slog.HandlerOptions{Level: slog.LevelError}))))
	if err != nil {
		return err
	}
	defer client.Close()
	err = f(client)
	switch {
	case err != nil && ctx.Err() != nil:
		return verb.CodeError(tool.Interrupted(ctx)) // the command has printed what it did before the interrupt
	case isDial(err):
		return fmt.Errorf("%w. Is a broker running at %s? bote serve starts one; -b gives another address", err, o.servers)
	}
	return err
}

// isDial reports whether the error is that of a connection that could not be opened.
func isDial(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}

// openTopic is open for commands on one dead-letter topic. It returns an error if the topic does not exist or is not a
// dead-letter topic.
func (o *options) openTopic(ctx context.Context, s *tool.Streams, topic string, f func(*delivery.Client, *dlt.DLT) error) error {
	return o.open(ctx, s, func(c *delivery.Client) error {
		d := dlt.Open(c, topic)
		if err := d.Check(ctx); err != nil {
			return advise(err, topic)
		}
		return advise(f(c, d), topic)
	})
}

// reportPlaces prints which letters at a filter's places are already done. missing is an error that names the places without a
// letter. proceed is false if the filter has places and none of them has a letter.
func reportPlaces(ctx context.Context, s *tool.Streams, d *dlt.DLT, topic string, f dlt.Filter) (missing error, proceed bool, err error) {
	found, none, err := d.Find(ctx, f.Places)
	if err != nil {
		return nil, false, err
	}
	for _, l := range found {
		if !l.Open() && !f.Closed {
			fmt.Fprintf(s.Err, "%s was %s at %s; use --all to include it again\n", l.Place(), l.State.Action, stamp(l.State.At))
		}
	}
	var errs []error
	for _, p := range none {
		errs = append(errs, fmt.Errorf("%s at %s: %w", topic, p, dlt.ErrNotFound))
	}
	return errors.Join(errs...), len(f.Places) == 0 || len(found) > 0, nil
}

// warnNoHeaders says on stderr how many of the records lack the headers of a dead letter.
func warnNoHeaders(s *tool.Streams, topic string, without, all int) {
	if without == 0 {
		return
	}
	have := "have"
	if without == 1 {
		have = "has"
	}
	s.Remark("Warning: %d of %s %s no dead-letter headers: is %s a dead-letter topic?\n", without, verb.Count(all, "record"), have, topic)
}

// advise adds advice to an error.
func advise(err error, topic string) error {
	missing, ok := errors.AsType[*delivery.TopicError](err)
	switch {
	case ok && missing.Topic == topic && errors.Is(err, delivery.ErrTopicMissing):
		return fmt.Errorf("topic %s does not exist; bote dlt ls lists the dead-letter topics", topic)
	case errors.Is(err, dlt.ErrNoGroup):
		return fmt.Errorf("%w; bote dlt count %s shows the groups of its records. Use --force-group for a group that does not exist yet", err, topic)
	case errors.Is(err, dlt.ErrNotHandled):
		return fmt.Errorf("%w. Is a consumer of the group running? --unwatched sends the rest without waiting", err)
	case errors.Is(err, dlt.ErrTooManyFailures):
		return fmt.Errorf("%w; the rest was not sent. Fix the cause first", err)
	}
	return err
}

// filterFlags are the flags that select dead letters.
type filterFlags struct {
	class, message, key, header, origin, group string
	since, until                               time.Duration
	places                                     []string
	from, to                                   int64
	all                                        bool
	limit                                      int
}

func (o *filterFlags) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.class, "class", "", "only records of this `class`: a part of the class of the error or of its cause, or one of the reasons decode, permanent, exhausted, expired, timeout, panic, oversize")
	f.StringVar(&o.message, "message", "", "only records with this `text` in the error message")
	f.StringVar(&o.key, "key", "", "only records with this `key`")
	f.StringVar(&o.header, "header", "", "only records with this header: `name[=value]`")
	f.StringVar(&o.origin, "origin", "", "only records that were first read from this `topic`")
	f.StringVar(&o.group, "group", "", "only records that this `group` gave up; '*' means all groups, and records that do not name one")
	f.DurationVar(&o.since, "since", 0, "only newer records: 24h means those that were dead-lettered in the last 24 hours")
	f.DurationVar(&o.until, "until", 0, "only older records: 24h means those that were dead-lettered more than 24 hours ago")
	f.StringSliceVar(&o.places, "at", nil, "only the record at this `partition:offset`; may be repeated")
	f.Int64Var(&o.from, "from-offset", 0, "only records from this `offset` on")
	f.Int64Var(&o.to, "to-offset", 0, "only records below this `offset`")
	f.BoolVar(&o.all, "all", false, "include records that were already redriven or discarded")
	f.IntVar(&o.limit, "limit", 0, "maximum `number` of records; 0 means all")
}

// filter makes a filter of the flags. --since and --until count from now.
func (o *filterFlags) filter(cmd *cobra.Command, now time.Time) (dlt.Filter, error) {
	f := dlt.Filter{
		Class: o.class, Message: o.message, Origin: o.origin, Group: o.group,
		FromOffset: o.from, ToOffset: o.to, Closed: o.all, Limit: o.limit,
	}
	if cmd.Flags().Changed("key") {
		f.Key = []byte(o.key)
	}
	if o.since > 0 {
		f.Since = now.Add(-o.since)
	}
	if o.until > 0 {
		f.Until = now.Add(-o.until)
	}
	f.Header, f.HeaderText = splitHeader(o.header)
	for _, text := range o.places {
		p, err := dlt.ParsePlace(text)
		if err != nil {
			return f, verb.UsageError{Err: fmt.Errorf("--at needs PARTITION:OFFSET, not %q", text)}
		}
		f.Places = append(f.Places, p)
	}
	return f, nil
}

// splitHeader splits name=value.
func splitHeader(s string) (name, value string) {
	name, value, _ = strings.Cut(s, "=")
	return name, value
}

// errNoSelection stops a command that would act on all records by accident.
var errNoSelection = errors.New("no records selected: give a filter such as --class or --at, or --everything for all")

// selective reports whether any filter flag was set.
func (o *filterFlags) selective(cmd *cobra.Command) bool {
	for _, name := range []string{"class", "message", "key", "header", "origin", "group", "since", "until", "at", "from-offset", "to-offset", "limit"} {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}

// actor returns the name of the user, which is noted with every action.
func actor() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// nothingSelected says why a command selected no record.
func (o *filterFlags) nothingSelected(cmd *cobra.Command, topic string) string {
	switch {
	case !o.selective(cmd) && o.all:
		return fmt.Sprintf("%s has no dead letters", topic)
	case !o.selective(cmd):
		return fmt.Sprintf("%s has no open dead letters", topic)
	case o.all:
		return "no dead letters match"
	case len(o.places) > 0:
		return "none of the selected dead letters is open"
	}
	return "no open dead letters match"
}
