package cli

import (
	"errors"
	"maps"
	"os/user"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/dlt"
)

// dltRedrive are the flags of bote dlt redrive.
type dltRedrive struct {
	dltFilter

	toGroup, topic, tier string
	toOrigin             bool
	everything           bool
	dryRun               bool
	rate                 float64
	maxRedrives          int
}

func (o *dltRedrive) addFlags(cmd *cobra.Command) {
	o.dltFilter.addFlags(cmd, "at most so many records; 0 is all")
	f := cmd.Flags()
	f.StringVar(&o.toGroup, "to-group", "", "to the first retry topic of this group's chain, so that no other group sees it again")
	f.BoolVar(&o.toOrigin, "to-origin", false, "to the topic it was first read from, for all groups")
	f.StringVar(&o.topic, "to-topic", "", "to this topic")
	f.StringVar(&o.tier, "tier", "", "with --to-group: this retry topic, for records that do not name one")
	f.BoolVar(&o.everything, "everything", false, "redrive all open records when no filter is given")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would go where")
	f.Float64Var(&o.rate, "rate", 100, "records a second")
	f.IntVar(&o.maxRedrives, "max-redrives", 3, "a record redriven so often goes to <main topic>-parked")
	cmd.MarkFlagsMutuallyExclusive("to-group", "to-origin", "to-topic")
	cmd.MarkFlagsOneRequired("to-group", "to-origin", "to-topic")
}

func (o *dltRedrive) target() dlt.Target {
	switch {
	case o.toOrigin:
		return dlt.ToOrigin()
	case o.topic != "":
		return dlt.ToTopic(o.topic)
	}
	return dlt.ToGroup(o.toGroup)
}

func (o *dltRedrive) options() []dlt.Option {
	opts := []dlt.Option{dlt.Rate(o.rate), dlt.MaxRedrives(o.maxRedrives), dlt.Actor(actor())}
	if o.dryRun {
		opts = append(opts, dlt.DryRun())
	}
	if o.tier != "" {
		opts = append(opts, dlt.Tier(o.tier))
	}
	return opts
}

// actor is who is logged in, for the record of what was done.
func actor() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// newDLTRedriveCommand is bote dlt redrive: send records back.
func newDLTRedriveCommand(s *streams, o *dltOptions) *cobra.Command {
	r := &dltRedrive{}
	cmd := &cobra.Command{
		Use:   "redrive TOPIC",
		Short: "Send records of a dead-letter topic back to be handled again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.json()
			if err != nil {
				return err
			}
			if !r.everything && !r.selective(cmd) {
				return errNoSelection
			}
			return o.open(cmd.Context(), s, func(c *delivery.Client) error {
				filter, err := r.filter(cmd, c.Clock().Now())
				if err != nil {
					return err
				}
				task, err := dlt.Open(c, args[0]).Redrive(cmd.Context(), filter, r.target(), r.options()...)
				return errors.Join(err, s.writeTask(task, r.dryRun, asJSON))
			})
		},
	}
	r.addFlags(cmd)
	return cmd
}

func (s *streams) writeTask(t dlt.Task, dryRun, asJSON bool) error {
	if asJSON {
		return writeObject(s.out, map[string]any{
			"redrive_id": t.ID, "dry_run": dryRun, "selected": t.Selected, "sent": t.Sent,
			"parked": t.Parked, "came_back": t.CameBack, "targets": t.Targets,
		})
	}
	if dryRun {
		s.printf("would redrive %d\n", t.Selected)
	} else {
		s.printf("redriven %d, parked %d, came back so far %d, id %s\n", t.Sent, t.Parked, t.CameBack, t.ID)
	}
	for _, topic := range slices.Sorted(maps.Keys(t.Targets)) {
		s.printf("  %s: %d\n", topic, t.Targets[topic])
	}
	return nil
}

// newDLTDiscardCommand is bote dlt discard: note that records need nothing any more.
func newDLTDiscardCommand(s *streams, o *dltOptions) *cobra.Command {
	f := &dltFilter{}
	var reason string
	var everything bool
	cmd := &cobra.Command{
		Use:   "discard TOPIC",
		Short: "Note that records of a dead-letter topic need nothing any more",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.json()
			if err != nil {
				return err
			}
			if !everything && !f.selective(cmd) {
				return errNoSelection
			}
			return o.open(cmd.Context(), s, func(c *delivery.Client) error {
				filter, err := f.filter(cmd, c.Clock().Now())
				if err != nil {
					return err
				}
				n, err := dlt.Open(c, args[0]).Discard(cmd.Context(), filter, actor(), reason)
				if asJSON {
					return errors.Join(err, writeObject(s.out, map[string]int{"discarded": n}))
				}
				s.printf("discarded %d\n", n)
				return err
			})
		},
	}
	f.addFlags(cmd, "at most so many records; 0 is all")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	cmd.Flags().BoolVar(&everything, "everything", false, "discard all open records when no filter is given")
	return cmd
}

// splitHeader splits name=value.
func splitHeader(s string) (name, value string) {
	name, value, _ = strings.Cut(s, "=")
	return name, value
}
