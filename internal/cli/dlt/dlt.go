// Package dlt owns bote dlt, which lists, shows, counts, redrives and discards dead letters. Package delivery/dlt decides what
// a dead letter is and does the work; this package owns the flags and the output.
package dlt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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
	output  string
}

func (o *options) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVarP(&o.servers, "bootstrap-server", "b", "localhost:9092", "brokers to connect to, host:port separated by commas")
	f.StringVar(&o.config, "command-config", "", "properties file with client settings, such as for SASL and TLS")
	f.StringVarP(&o.output, "output", "o", "text", "how results are written: text or json")
}

// json reports whether results are printed as JSON.
func (o *options) json() (bool, error) {
	switch o.output {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, fmt.Errorf("output %q is neither text nor json", o.output)
}

// NewCommand is bote dlt.
func NewCommand(s *tool.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "dlt",
		Short: "Look into dead-letter topics, and redrive or discard what is there",
		Long: "Look into dead-letter topics, and redrive or discard what is there.\n\n" +
			"Records of bote's delivery library and of Spring for Apache Kafka are understood. Nothing is\n" +
			"deleted: what was done with a record is kept in the topic <dead-letter topic>-bote-state.",
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
		return fmt.Errorf("%w; is the broker running? bote serve starts one, and -b names another (%s was asked)", err, o.servers)
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
			fmt.Fprintf(s.Err, "%s was %s at %s; --all takes it again\n", l.Place(), l.State.Action, stamp(l.State.At))
		}
	}
	var errs []error
	for _, p := range none {
		errs = append(errs, fmt.Errorf("%s at %s: %w", topic, p, dlt.ErrNotFound))
	}
	return errors.Join(errs...), len(f.Places) == 0 || len(found) > 0, nil
}

// advise adds advice to an error.
func advise(err error, topic string) error {
	missing, ok := errors.AsType[*delivery.TopicError](err)
	switch {
	case ok && missing.Topic == topic && errors.Is(err, delivery.ErrTopicMissing):
		return fmt.Errorf("no topic %s; bote dlt ls shows what there is", topic)
	case errors.Is(err, dlt.ErrNoGroup):
		return fmt.Errorf("%w; bote dlt count %s shows the groups of its records, and --force-group sends to a group that does not exist yet", err, topic)
	case errors.Is(err, dlt.ErrNotHandled):
		return fmt.Errorf("%w; is a consumer of the group running? --unwatched sends the rest without waiting", err)
	case errors.Is(err, dlt.ErrTooManyFailures):
		return fmt.Errorf("%w; the rest was not sent. Repair the cause first", err)
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

func (o *filterFlags) addFlags(cmd *cobra.Command, limit string) {
	f := cmd.Flags()
	f.StringVar(&o.class, "class", "", "why it was given up (decode, permanent, exhausted, expired, timeout, panic, oversize), or a part of the class of the error or its cause")
	f.StringVar(&o.message, "message", "", "a part of the error message")
	f.StringVar(&o.key, "key", "", "this key")
	f.StringVar(&o.header, "header", "", "has this header: name or name=value")
	f.StringVar(&o.origin, "origin", "", "first read from this topic")
	f.StringVar(&o.group, "group", "", "given up by this group; '*' is all")
	f.DurationVar(&o.since, "since", 0, "dead-lettered at most so long ago, such as 24h")
	f.DurationVar(&o.until, "until", 0, "dead-lettered at least so long ago")
	f.StringSliceVar(&o.places, "at", nil, "at this <partition>:<offset>; may be repeated")
	f.Int64Var(&o.from, "from-offset", 0, "at this offset or behind")
	f.Int64Var(&o.to, "to-offset", 0, "before this offset")
	f.BoolVar(&o.all, "all", false, "also records that were redriven or discarded")
	f.IntVar(&o.limit, "limit", 0, limit)
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
			return f, err
		}
		f.Places = append(f.Places, p)
	}
	return f, nil
}

// errNoSelection stops a command that would act on all records by accident.
var errNoSelection = errors.New("nothing selects records: give a filter such as --class or --at, or --everything")

// selective reports whether any filter flag was set.
func (o *filterFlags) selective(cmd *cobra.Command) bool {
	for _, name := range []string{"class", "message", "key", "header", "origin", "group", "since", "until", "at", "from-offset", "to-offset", "limit"} {
		if cmd.Flags().Changed(name) {
			return true
		}
	}
	return false
}
