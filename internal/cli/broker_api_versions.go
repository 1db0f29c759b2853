package cli

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const aboutAPIVersions = "This tool helps to retrieve broker version information."

func brokerAPIVersionsParser() *optParser {
	return &optParser{options: []option{
		{name: "bootstrap-server", arg: requiredArg, typ: "String", what: "server(s) to use for bootstrapping", help: "REQUIRED: brokers to begin with."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "command config property file", help: "Properties file with settings of the admin client."},
		helpOption(),
		versionOption(),
	}}
}

func runBrokerAPIVersions(ctx context.Context, s *streams, args []string) int {
	p := brokerAPIVersionsParser()
	set, err := p.parse(args)
	if err != nil {
		s.complain(err, "%s%s\n", err, causes(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, aboutAPIVersions); done {
		return code
	}
	if err := set.needs("bootstrap-server"); err != nil {
		return p.finish(s, err)
	}
	return p.finish(s, brokerAPIVersions(ctx, s, set))
}

func brokerAPIVersions(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	servers, file := r.text("bootstrap-server", ""), r.text("command-config", "")
	if r.err != nil {
		return r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	who := identity{kind: "LegacyAdminClient", id: "admin-1", bootstrap: true, failure: "Failed to create new KafkaAdminClient"}
	conn, err := connect(ctx, s, who, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err != nil {
		if denied := authenticationError(err); denied != nil {
			return denied
		}
		return throw(classRuntime, "Request METADATA failed on brokers [%s]", seedNodes(servers))
	}
	nodes, err := conn.brokers(ctx)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		s.printf("%s", apiVersions(ctx, conn, n))
	}
	return nil
}

func seedNodes(servers string) string {
	var nodes []string
	for server := range strings.SplitSeq(servers, ",") {
		if host, port, err := splitServer(strings.TrimSpace(server)); err == nil {
			nodes = append(nodes, net.JoinHostPort(host, port)+" (id: -1 rack: null isFenced: false)")
		}
	}
	return strings.Join(nodes, ", ")
}

// apiVersions renders what a broker answers to ApiVersions.
func apiVersions(ctx context.Context, c *connection, n node) string {
	name := fmt.Sprintf("%s:%d (id: %d rack: %s isFenced: false)", n.host, n.port, n.id, orNull(n.rack))
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := c.Broker(int(n.id)).Request(ctx, apiVersionsRequest())
	if err != nil {
		return name + " -> ERROR: " + asException(err, "apiVersions").named() + "\n"
	}
	versions := resp.(*kmsg.ApiVersionsResponse) //nolint:forcetypeassert // the request's own response
	if err := brokerError(versions.ErrorCode, nil); err != nil {
		return name + " -> ERROR: " + named(err) + "\n"
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
