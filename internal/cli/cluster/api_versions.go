package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const aboutAPIVersions = "This tool helps to retrieve broker version information."

func brokerAPIVersionsParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "bootstrap-server", Arg: jopt.RequiredArg, Type: "String", What: "server(s) to use for bootstrapping", Help: "REQUIRED: the brokers to connect to."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "command config property file", Help: "Properties file with settings for the admin client."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// RunBrokerAPIVersions is kafka-broker-api-versions.
func RunBrokerAPIVersions(ctx context.Context, s *tool.Streams, args []string) int {
	p := brokerAPIVersionsParser()
	set, err := p.Parse(args)
	if err != nil {
		s.Complain(err, "%s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, aboutAPIVersions); done {
		return code
	}
	if err := set.Needs("bootstrap-server"); err != nil {
		return p.Finish(s, err)
	}
	return p.Finish(s, brokerAPIVersions(ctx, s, set))
}

func brokerAPIVersions(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	servers, file := r.Text("bootstrap-server", ""), r.Text("command-config", "")
	if r.Err != nil {
		return r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	who := client.Identity{Kind: "LegacyAdminClient", ID: "admin-1", Bootstrap: true, Failure: "Failed to create new KafkaAdminClient"}
	conn, err := client.Connect(ctx, s, who, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err != nil {
		if denied := client.AuthenticationError(err); denied != nil {
			return denied
		}
		return exception.New(exception.Runtime, "Request METADATA failed on brokers [%s]", seedNodes(servers))
	}
	nodes, err := conn.Brokers(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		s.Printf("%s", apiVersions(ctx, conn, n))
	}
	return nil
}

func seedNodes(servers string) string {
	var nodes []string
	for server := range strings.SplitSeq(servers, ",") {
		if host, port, err := client.SplitServer(strings.TrimSpace(server)); err == nil {
			nodes = append(nodes, net.JoinHostPort(host, port)+" (id: -1 rack: null isFenced: false)")
		}
	}
	return strings.Join(nodes, ", ")
}

// apiVersions formats a broker's answer to ApiVersions.
func apiVersions(ctx context.Context, c *client.Conn, n client.Node) string {
	name := fmt.Sprintf("%s:%d (id: %d rack: %s isFenced: false)", n.Host, n.Port, n.ID, tool.OrNull(n.Rack))
	ctx, cancel := c.Within(ctx)
	defer cancel()
	resp, err := c.Broker(int(n.ID)).Request(ctx, client.APIVersionsRequest())
	if err != nil {
		return name + " -> ERROR: " + exception.Of(err, "apiVersions").Named() + "\n"
	}
	versions := resp.(*kmsg.ApiVersionsResponse) //nolint:forcetypeassert // the request's own response
	if err := exception.FromBroker(versions.ErrorCode, nil); err != nil {
		return name + " -> ERROR: " + exception.Named(err) + "\n"
	}
	lines := map[int16]string{}
	for key, known := range clientVersions {
		if known.broker {
			lines[key] = fmt.Sprintf("\t%s(%d): UNSUPPORTED", known.name, key)
		}
	}
	for _, k := range versions.ApiKeys {
		lines[k.ApiKey] = apiLine(k)
	}
	sorted := make([]string, 0, len(lines))
	for _, key := range slices.Sorted(maps.Keys(lines)) {
		sorted = append(sorted, lines[key])
	}
	return name + " -> (\n" + strings.Join(sorted, ",\n") + "\n)\n"
}

func apiLine(k kmsg.ApiVersionsResponseApiKey) string {
	known, ok := clientVersions[k.ApiKey]
	name := known.name
	if !ok {
		name = "UNKNOWN"
	}
	line := fmt.Sprintf("\t%s(%d): %d", name, k.ApiKey, k.MinVersion)
	if k.MaxVersion != k.MinVersion || !ok {
		line += fmt.Sprintf(" to %d", k.MaxVersion)
	}
	usable := min(k.MaxVersion, known.high)
	switch {
	case !ok:
		return line
	case k.MinVersion > known.high:
		return line + " [unusable: node too new]"
	case usable < known.low:
		return line + " [unusable: node too old]"
	}
	return line + fmt.Sprintf(" [usable: %d]", usable)
}
