package cli

import (
	"github.com/spf13/cobra"

	"github.com/botehq/bote/internal/cli/tool"
)

func newVersionCommand(s *tool.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of bote, and of the Kafka that it is compatible with",
		Args:  cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			s.Printf("bote %s, compatible with Apache Kafka %s\n", tool.BuildVersion(), tool.KafkaVersion)
		},
	}
}
