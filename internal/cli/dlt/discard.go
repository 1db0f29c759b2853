package dlt

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/delivery"
	"github.com/botehq/bote/delivery/dlt"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// newDiscardCommand is bote dlt discard: mark dead letters as done.
func newDiscardCommand(s *tool.Streams, o *options) *cobra.Command {
	f := &filterFlags{}
	var reason string
	var everything bool
	cmd := &cobra.Command{
		Use:   "discard TOPIC",
		Short: "Mark dead letters as done; nothing is deleted",
		Long: "Mark dead letters as done. Nothing is deleted.\n\n" +
			"A filter such as --class or --at is required, or --everything.",
		Example: "  bote dlt discard orders.dlt --at 0:12 --reason typo",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := o.output.JSON()
			if err != nil {
				return err
			}
			return o.openTopic(cmd.Context(), s, args[0], func(c *delivery.Client, d *dlt.DLT) error {
				if !everything && !f.selective(cmd) {
					return errNoSelection
				}
				filter, err := f.filter(cmd, c.Clock().Now())
				if err != nil {
					return err
				}
				missing, proceed, err := reportPlaces(cmd.Context(), s, d, args[0], filter)
				if err != nil || !proceed {
					return errors.Join(err, missing)
				}
				n, err := d.Discard(cmd.Context(), filter, actor(), reason)
				if err != nil && n == 0 {
					return err
				}
				err = errors.Join(err, missing)
				switch {
				case asJSON:
					return errors.Join(err, verb.WriteJSON(s.Out, map[string]int{"discarded": n}))
				case n == 0:
					s.Printf("discarded 0; %s\n", f.nothingSelected(cmd, args[0]))
				default:
					s.Printf("discarded %d\n", n)
				}
				return err
			})
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "`text` that says why; it is stored with the records")
	cmd.Flags().BoolVar(&everything, "everything", false, "discard all open records if no filter is given")
	return cmd
}
