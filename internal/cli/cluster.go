package cli

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func clusterParser() *argParser {
	common := []argument{
		{flags: []string{"--bootstrap-server", "-b"}, metavar: "BOOTSTRAP_SERVER", group: "bootstrap", help: "Brokers to begin with."},
		{flags: []string{"--bootstrap-controller", "-C"}, metavar: "BOOTSTRAP_CONTROLLER", group: "bootstrap", help: "Controllers to begin with."},
		{flags: []string{"--config"}, metavar: "CONFIG", help: "(DEPRECATED) Old name of --command-config."},
		{flags: []string{"--command-config", "-c"}, metavar: "COMMAND_CONFIG", help: "Properties file with settings of the admin client."},
	}
	with := func(more ...argument) []argument { return append(append([]argument{}, common...), more...) }
	return &argParser{
		prog: "kafka-cluster", about: "This tool tells about a cluster.", helpExit: exitError,
		subs: []*argSub{
			{name: "cluster-id", help: "Print the id of the cluster.", args: common},
			{name: "unregister", help: "Take a broker off the list.", args: with(argument{flags: []string{"--id", "-i"}, metavar: "ID", number: "Integer", required: true, help: "The broker."})},
			{name: "list-endpoints", help: "Print where the brokers or controllers listen.", args: with(argument{flags: []string{"--include-fenced-brokers"}, help: "Fenced brokers too."})},
		},
	}
}

func runCluster(ctx context.Context, s *streams, args []string) int {
	return clusterParser().run(s, args, func(set *argSet) error { return cluster(ctx, s, set) })
}

func cluster(ctx context.Context, s *streams, set *argSet) error {
	if set.has("config") {
		if set.has("command-config") {
			return throw(classTerse, "--config and --command-config cannot be specified together.")
		}
		s.printf("Option --config has been deprecated and will be removed in a future version. Use --command-config instead.\n")
	}
	settings, err := optionalProperties(set.text("command-config", set.text("config", "")))
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, set.text("bootstrap-server", set.text("bootstrap-controller", "")), settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.controller = set.has("bootstrap-controller")
	switch set.sub {
	case "unregister":
		err = unregister(ctx, conn, int32(set.int("id", -1)))
	case "list-endpoints":
		err = endpoints(ctx, conn, set.has("include-fenced-brokers"))
	default:
		err = printClusterID(ctx, conn)
	}
	if err != nil {
		return execution(asException(err, set.sub))
	}
	return nil
}

// describeCluster asks brokers about brokers and controllers about controllers.
func describeCluster(ctx context.Context, c *connection, fenced bool) (*kmsg.DescribeClusterResponse, error) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.EndpointType = 1
	if c.controller {
		req.EndpointType = 2
	}
	req.IncludeFencedBrokers = fenced
	resp, err := c.ask(ctx, "listNodes", req)
	if err != nil {
		return nil, err
	}
	r := resp.(*kmsg.DescribeClusterResponse) //nolint:forcetypeassert // the request's own response
	return r, brokerError(r.ErrorCode, r.ErrorMessage)
}

func printClusterID(ctx context.Context, c *connection) error {
	resp, err := describeCluster(ctx, c, false)
	if err != nil {
		return err
	}
	if resp.ClusterID == "" {
		c.s.printf("No cluster ID found. The Kafka version is probably too old.\n")
		return nil
	}
	c.s.printf("Cluster ID: %s\n", resp.ClusterID)
	return nil
}

func unregister(ctx context.Context, c *connection, id int32) error {
	req := kmsg.NewPtrUnregisterBrokerRequest()
	req.BrokerID = id
	resp, err := c.ask(ctx, "unregisterBroker", req)
	if err != nil {
		if isException(err, classUnsupported) {
			return throw(classTerse, "The target cluster does not support the broker unregistration API.")
		}
		return err
	}
	r := resp.(*kmsg.UnregisterBrokerResponse) //nolint:forcetypeassert // the request's own response
	if err := brokerError(r.ErrorCode, r.ErrorMessage); err != nil {
		c.s.log(levelError, "org.apache.kafka.clients.admin.KafkaAdminClient", "%s Unregister broker request for broker ID %d failed: %s", c.who(), id, err)
		return err
	}
	c.s.printf("Broker %d is no longer registered.\n", id)
	return nil
}

func endpoints(ctx context.Context, c *connection, fenced bool) error {
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
		if !c.controller {
			text += fmt.Sprintf("%-10s ", state)
		}
		c.s.printf("%s%-15s\n", text, kind)
	}
	line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE")
	kind := "broker"
	if c.controller {
		kind = "controller"
	}
	for _, b := range resp.Brokers {
		state := "unfenced"
		if b.IsFenced {
			state = "fenced"
		}
		line(fmt.Sprint(b.NodeID), b.Host, fmt.Sprint(b.Port), orNull(b.Rack), state, kind)
	}
	return nil
}
