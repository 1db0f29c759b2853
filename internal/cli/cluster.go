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
	return s.runArgs(clusterParser(), args, func(set *argSet) error { return cluster(ctx, s, set) })
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
	conn, err := s.admin(ctx, set.text("bootstrap-server", set.text("bootstrap-controller", "")), settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.controller = set.has("bootstrap-controller")
	switch set.sub {
	case "unregister":
		err = conn.unregister(ctx, int32(set.int("id", -1)))
	case "list-endpoints":
		err = conn.endpoints(ctx, set.has("include-fenced-brokers"))
	default:
		err = conn.clusterID(ctx)
	}
	if err != nil {
		return execution(asException(err, set.sub))
	}
	return nil
}

// describeCluster asks brokers about brokers and controllers about controllers.
func (c *connection) describeCluster(ctx context.Context, fenced bool) (*kmsg.DescribeClusterResponse, error) {
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

func (c *connection) clusterID(ctx context.Context) error {
	resp, err := c.describeCluster(ctx, false)
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

func (c *connection) unregister(ctx context.Context, id int32) error {
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
		c.s.log(levelError, "org.apache.kafka.clients.admin.KafkaAdminClient", "%s Unregister broker request for broker ID %d failed: %s", c.nodes.who, id, err)
		return err
	}
	c.s.printf("Broker %d is no longer registered.\n", id)
	return nil
}

func (c *connection) endpoints(ctx context.Context, fenced bool) error {
	resp, err := c.describeCluster(ctx, fenced)
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
