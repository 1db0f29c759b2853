package dlt

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// redriveFlags are the flags of bote dlt redrive.
type redriveFlags struct {
	filterFlags

	toGroup, toTopic, tier string
	toOrigin               bool
	everything             bool
	dryRun                 bool
	forceGroup             bool
	unwatched              bool
	rate                   float64
	maxRedrives            int
}

func (o *redriveFlags) addFlags(cmd *cobra.Command) {
	o.filterFlags.addFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.toGroup, "to-group", "", "send to the first retry topic of this `group`, so that no other group sees the records again; selects the records that this group gave up, unless --group is given")
	f.BoolVar(&o.forceGroup, "force-group", false, "with --to-group: send even if the group does not exist")
	f.BoolVar(&o.toOrigin, "to-origin", false, "send to the topic that the record was first read from, for all its groups")
	f.StringVar(&o.toTopic, "to-topic", "", "send to this `topic`")
	f.StringVar(&o.tier, "tier", "", "with --to-group: retry `topic` for records that do not name one")
	f.BoolVar(&o.everything, "everything", false, "redrive all open records if no filter is given")
	f.BoolVar(&o.dryRun, "dry-run", false, "only print what would be sent, and where")
	f.BoolVar(&o.unwatched, "unwatched", false, "do not pause after the first 100 records to check that at most 5 of them fail again")
	f.Float64Var(&o.rate, "rate", 100, "`number` of records per second")
	f.IntVar(&o.maxRedrives, "max-redrives", 3, "a record that was already redriven this `number` of times goes to <main topic>-parked")
	cmd.MarkFlagsMutuallyExclusive("to-group", "to-origin", "to-topic")
}

// checkDestination returns an error if no flag gives a destination.
func (o *redriveFlags) checkDestination() error {
	if o.toGroup == "" && o.toTopic == "" && !o.toOrigin {
		return verb.UsageError{Err: errors.New("no destination: --to-group GROUP sends to the group that failed and no other, " +
			"--to-origin to the original topic and all its groups, --to-topic TOPIC to any topic")}
	}
	return nil
}

// checkSelection returns an error if no flag selects records. If the group of --to-group does not exist either, it returns an
// error about that instead: the user has to correct the group first.
func (o *redriveFlags) checkSelection(cmd *cobra.Command, d *dlt.DLT) error {
	if o.everything || o.selective(cmd) {
		return nil
	}
	if o.toGroup != "" && !o.forceGroup {
		if err := d.CheckGroup(cmd.Context(), o.toGroup); err != nil {
			return fmt.Errorf("redrive: %w", err)
		}
	}
	return errNoSelection
}

func (o *redriveFlags) target() dlt.Target {
	switch {
	case o.toOrigin:
		return dlt.ToOrigin()
	case o.toTopic != "":
		return dlt.ToTopic(o.toTopic)
	}
	return dlt.ToGroup(o.toGroup)
}

func (o *redriveFlags) options() []dlt.Option {
	opts := []dlt.Option{dlt.Rate(o.rate), dlt.MaxRedrives(o.maxRedrives), dlt.Actor(actor())}
	if o.dryRun {
		opts = append(opts, dlt.DryRun())
	}
	if o.forceGroup {
		opts = append(opts, dlt.ForceGroup())
	}
	if o.unwatched {
		opts = append(opts, dlt.Unwatched())
	}
	if o.tier != "" {
		opts = append(opts, dlt.Tier(o.tier))
	}
	return opts
}

// newRedriveCommand is bote dlt redrive: send records back.
func newRedriveCommand(s *tool.Streams, o *options) *cobra.Command {
	r := &redriveFlags{}
	cmd := &cobra.Command{
		Use:   "redrive TOPIC",
		Short: "Send records of a dead-letter topic back to be processed again",
		Long: "Send records of a dead-letter topic back to be processed again.\n\n" +
			"Two things are required: one of --to-group, --to-origin and --to-topic, and a filter such as --class or --at,\n" +
			"or --everything.",
		Example: "  bote dlt redrive orders.dlt --to-group mail --everything --dry-run\n" +
			"  bote dlt redrive orders.dlt --to-group mail --class exhausted --since 24h\n" +
			"  bote dlt redrive orders.dlt --to-origin --at 0:12",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.output.JSON()
			if err != nil {
				return err
			}
			if err := r.checkDestination(); err != nil {
				return err
			}
			return o.openTopic(cmd.Context(), s, args[0], func(c *delivery.Client, d *dlt.DLT) error {
				if err := r.checkSelection(cmd, d); err != nil {
					return err
				}
				filter, err := r.filter(cmd, c.Clock().Now())
				if err != nil {
					return err
				}
				missing, proceed, err := reportPlaces(cmd.Context(), s, d, args[0], filter)
				if err != nil || !proceed {
					return errors.Join(err, missing)
				}
				task, err := d.Redrive(cmd.Context(), filter, r.target(), r.options()...)
				if err != nil && task.Selected == 0 {
					return err
				}
				return errors.Join(err, writeTask(s, task, r, asJSON, r.nothingSelected(cmd, args[0])), missing)
			})
		},
	}
	r.addFlags(cmd)
	return cmd
}

// writeTask writes what a redrive did. nothing says why it selected no record.
func writeTask(s *tool.Streams, t dlt.Task, r *redriveFlags, asJSON bool, nothing string) error {
	if asJSON {
		return verb.WriteJSON(s.Out, map[string]any{
			"redrive_id": t.ID, "dry_run": r.dryRun, "selected": t.Selected, "sent": t.Sent,
			"parked": t.Parked, "came_back": t.CameBack, "other_groups": t.OtherGroups, "targets": t.Targets,
		})
	}
	if t.Selected+t.OtherGroups == 0 {
		s.Printf("sent back 0; %s\n", nothing)
		return nil
	}
	done, tail := "sent back", fmt.Sprintf("; %d failed again so far", t.CameBack)
	if r.dryRun {
		done, tail = "would send back", ""
	}
	s.Printf("%s %d%s; %d parked (limit: %d redrives)%s\n", done, t.Sent, targetList(t), t.Parked, r.maxRedrives, tail)
	if t.OtherGroups > 0 {
		s.Printf("%d records of other groups were not selected; --group '*' selects them too\n", t.OtherGroups)
	}
	return nil
}

// targetList names the topics that records were sent to. If there are several, it adds the
// number of records for each.
func targetList(t dlt.Task) string {
	topics := slices.Sorted(maps.Keys(t.Targets))
	switch len(topics) {
	case 0:
		return ""
	case 1:
		return " to " + topics[0]
	}
	for i, topic := range topics {
		topics[i] = fmt.Sprintf("%s (%d)", topic, t.Targets[topic])
	}
	return " to " + strings.Join(topics, ", ")
}
