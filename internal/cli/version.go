package cli

import (
	"github.com/spf13/cobra"
)

func newVersionCommand(s *streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of bote and of the Kafka it behaves as",
		Args:  cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			s.printf("bote %s, as Apache Kafka %s\n", buildVersion(), Version)
		},
	}
}
