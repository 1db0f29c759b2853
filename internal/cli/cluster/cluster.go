// Package cluster owns the tools about a cluster as a whole: kafka-cluster, kafka-features and kafka-broker-api-versions.
package cluster

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/argp"
	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

func parser() *argp.Parser {
	common := []argp.Argument{
		{Flags: []string{"--bootstrap-server", "-b"}, Metavar: "BOOTSTRAP_SERVER", Group: "bootstrap", Help: "The brokers to connect to."},
		{Flags: []string{"--bootstrap-controller", "-C"}, Metavar: "BOOTSTRAP_CONTROLLER", Group: "bootstrap", Help: "The controllers to connect to."},
		{Flags: []string{"--config"}, Metavar: "CONFIG", Help: "(DEPRECATED) Old name of --command-config."},
		{Flags: []string{"--command-config", "-c"}, Metavar: "COMMAND_CONFIG", Help: "Properties file with settings for the admin client."},
	}
	with := func(more ...argp.Argument) []argp.Argument {
		return append(append([]argp.Argument{}, common...), more...)
	}
	return &argp.Parser{
		Prog: "kafka-cluster", About: "This tool shows information about a cluster.", HelpExit: tool.ExitError,
		Subs: []*argp.SubCommand{
			{Name: "cluster-id", Help: "Print the ID of the cluster.", Args: common},
			{Name: "unregister", Help: "Unregister a broker.", Args: with(argp.Argument{Flags: []string{"--id", "-i"}, Metavar: "ID", Number: "Integer", Required: true, Help: "ID of the broker."})},
			{Name: "list-endpoints", Help: "Print the addresses of the brokers or controllers.", Args: with(argp.Argument{Flags: []string{"--include-fenced-brokers"}, Help: "Also print fenced brokers."})},
		},
	}
}

// Run is kafka-cluster.
func Run(ctx context.Context, s *tool.Streams, args []string) int {
	return parser().Run(s, args, func(set *argp.Set) error { return run(ctx, s, set) })
}

func run(ctx context.Context, s *tool.Streams, set *argp.Set) error {
	if set.Has("config") {
		if set.Has("command-config") {
			return exception.New(exception.Terse, "--config and --command-config cannot be specified together.")
		}
		s.Printf("Option --config has been deprecated and will be removed in a future version. Use --command-config instead.\n")
	}
	settings, err := tool.OptionalProperties(set.Text("command-config", set.Text("config", "")))
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, set.Text("bootstrap-server", set.Text("bootstrap-controller", "")), settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.Controller = set.Has("bootstrap-controller")
	switch set.Sub {
	case "unregister":
		err = unregister(ctx, conn, int32(set.Int("id", -1)))
	case "list-endpoints":
		err = endpoints(ctx, conn, set.Has("include-fenced-brokers"))
	default:
		err = printClusterID(ctx, conn)
	}
	if err != nil {
		return exception.InFuture(exception.Of(err, set.Sub))
	}
	return nil
}

// describeCluster asks for the brokers, or for the controllers if it is connected to controllers.
func describeCluster(ctx context.Context, c *client.Conn, fenced bool) (*kmsg.DescribeClusterResponse, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = 1
	if c.Controller {
		req.EndpointType = 2
	}
	req.IncludeFencedBrokers = fenced
	resp, err := c.Ask(ctx, "listNodes", req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.DescribeClusterResponse) //nolint:forcetypeassert // the request's own response
	return r, exception.FromBroker(r.ErrorCode, r.ErrorMessage)
}

func printClusterID(ctx context.Context, c *client.Conn) error {
	resp, err := describeCluster(ctx, c, false)
	if err != nil {
		return err
	}
	if resp.ClusterID == "" {
		c.Streams.Printf("No cluster ID found. The Kafka version is probably too old.\n")
		return nil
	}
	c.Streams.Printf("Cluster ID: %s\n", resp.ClusterID)
	return nil
}

func unregister(ctx context.Context, c *client.Conn, id int32) error {
	req := kmsg.NewPtrUnregisterBrokerRequest()
	req.BrokerID = id
	resp, err := c.Ask(ctx, "unregisterBroker", req)
	if err != nil {
		if exception.Is(err, exception.UnsupportedVersion) {
			return exception.New(exception.Terse, "The target cluster does not support the broker unregistration API.")
		}
		return err
	}
	r := resp.(*kmsg.UnregisterBrokerResponse) //nolint:forcetypeassert // the request's own response
	if err := exception.FromBroker(r.ErrorCode, r.ErrorMessage); err != nil {
		c.Streams.Log(tool.LevelError, "org.apache.kafka.clients.admin.KafkaAdminClient", "%s Unregister broker request for broker ID %d failed: %s", c.Who(), id, err)
		return err
	}
	c.Streams.Printf("Broker %d is no longer registered.\n", id)
	return nil
}

func endpoints(ctx context.Context, c *client.Conn, fenced bool) error {
	resp, err := describeCluster(ctx, c, fenced)
	if err != nil {
		return err
	}
	width := len("HOST")
	for _, b := range resp.Brokers {
		width = max(width, len(b.Host))
	}
	line := func(id, host, port, rack, state, kind string) {
		text := fmt.Sprintf("%-10s %-*s %-10s %-10s ", id, width, host, port, rack)
		if !c.Controller {
			text += fmt.Sprintf("%-10s ", state)
		}
		c.Streams.Printf("%s%-15s\n", text, kind)
	}
	line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")
	kind := "broker"
	if c.Controller {
		kind = "controller"
	}
	for _, b := range resp.Brokers {
		state := "unfenced"
		if b.IsFenced {
			state = "fenced"
		}
		line(fmt.Sprint(b.NodeID), b.Host, fmt.Sprint(b.Port), tool.OrNull(b.Rack), state, kind)
	}
	return nil
}
