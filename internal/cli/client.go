package cli

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The loggers of the Java client that tools' lines name.
const (
	loggerNetwork = "org.apache.kafka.clients.NetworkClient"
	loggerUtils   = "org.apache.kafka.clients.ClientUtils"
)

// connection is a client of a cluster.
type connection struct {
	*kgo.Client

	s *streams
	// timeout is default.api.timeout.ms: how long a call may take in all.
	timeout time.Duration
	nodes   *nodeLog
	// controller is a connection to controllers, which know neither topics nor routing: everything is asked of the first one.
	controller bool
}

// identity is what a client calls itself in Kafka's log lines: [AdminClient clientId=adminclient-1].
type identity struct {
	kind string
	id   string
	// extra stands behind the client id, for consumers: , groupId=g.
	extra string
	// bootstrap adds the line about the bootstrap broker that producers and consumers write.
	bootstrap bool
	// what Kafka cannot create when the addresses are wrong, and the exception that says so.
	failure string
}

func (i identity) String() string { return "[" + i.kind + " clientId=" + i.id + i.extra + "]" }

func adminIdentity() identity {
	return identity{kind: "AdminClient", id: "adminclient-1", failure: "Failed to create new KafkaAdminClient"}
}

// admin makes a client for a tool that asks and tells, with the settings of a --command-config file.
func admin(ctx context.Context, s *streams, servers string, settings properties) (*connection, error) {
	return connect(ctx, s, adminIdentity(), servers, settings)
}

// connect makes a client. It resolves the addresses first, as the Java clients do, but opens no connection.
func connect(ctx context.Context, s *streams, who identity, servers string, settings properties, more ...kgo.Opt) (*connection, error) {
	c := &clientSettings{properties: settings}
	who.id = c.get("client.id", who.id)
	seeds, nodes, err := resolve(ctx, s, who, servers)
	if err != nil {
		return nil, err
	}
	opts, err := securityOptions(c)
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		kgo.SeedBrokers(seeds...),
		kgo.ClientID(who.id),
		kgo.WithHooks(nodes),
		kgo.RequestTimeoutOverhead(max(c.millis("request.timeout.ms", 30_000), 100*time.Millisecond)),
		kgo.DialTimeout(c.millis("socket.connection.setup.timeout.ms", 10_000)),
		kgo.MetadataMaxAge(max(c.millis("metadata.max.age.ms", 300_000), 500*time.Millisecond)),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RetryBackoffFn(backoff),
		kgo.DisableClientMetrics(),
	)
	timeout := c.millis("default.api.timeout.ms", 60_000)
	if c.err != nil {
		return nil, c.err
	}
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, &exception{class: classKafka, text: err.Error(), cause: err}
	}
	return &connection{Client: cl, s: s, timeout: timeout, nodes: nodes}, nil
}

// who is what the client calls itself in log lines.
func (c *connection) who() identity { return c.nodes.who }

// silence ends the lines about nodes that cannot be reached.
func (c *connection) silence() { c.nodes.quiet.Store(true) }

// backoff is the pause before a try, as the Java client has it: 50 ms doubled up to a second.
func backoff(tries int) time.Duration {
	return min(50*time.Millisecond<<min(max(tries-1, 0), 6), time.Second)
}

// seedsOf are the addresses of --bootstrap-server whose names can be looked up, for clients that are not made here.
func seedsOf(ctx context.Context, s *streams, servers string) ([]string, error) {
	seeds, _, err := resolve(ctx, s, adminIdentity(), servers)
	return seeds, err
}

// resolve checks the addresses of --bootstrap-server and looks their names up.
func resolve(ctx context.Context, s *streams, who identity, servers string) ([]string, *nodeLog, error) {
	nodes := &nodeLog{s: s, who: who, addresses: map[string]string{}}
	var seeds []string
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if server == "" {
			continue
		}
		host, port, err := splitServer(server)
		if err != nil {
			return nil, nil, clientFailure(who, "Invalid url in bootstrap.servers: "+server)
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil || len(addresses) == 0 {
			s.log(levelWarn, loggerUtils, "Couldn't resolve server %s from bootstrap.servers as DNS resolution failed for %s", server, host)
			continue
		}
		seed := net.JoinHostPort(host, port)
		seeds = append(seeds, seed)
		nodes.addresses[seed] = preferV4(addresses)
	}
	if len(seeds) == 0 {
		return nil, nil, clientFailure(who, "No resolvable bootstrap urls given in bootstrap.servers")
	}
	return seeds, nodes, nil
}

func clientFailure(who identity, cause string) error {
	return &exception{class: classKafka, text: who.failure, cause: throw(classConfig, "%s", cause)}
}

func preferV4(addresses []string) string {
	for _, a := range addresses {
		if !strings.Contains(a, ":") {
			return a
		}
	}
	return addresses[0]
}

// splitServer takes an address apart, with or without a protocol in front.
func splitServer(server string) (host, port string, err error) {
	if _, rest, ok := strings.Cut(server, "://"); ok {
		server = rest
	}
	host, port, err = net.SplitHostPort(server)
	if err != nil {
		return "", "", fmt.Errorf("split %q: %w", server, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 || host == "" {
		return "", "", fmt.Errorf("%q has no host:port", server)
	}
	return host, port, nil
}

// await waits until a broker answers, so that what follows can count on a connection. The call names what the tool was about
// to do, for the time-out's text.
func (c *connection) await(ctx context.Context, call string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	for tries := 1; ; tries++ {
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		if denied := authenticationError(err); denied != nil {
			return denied
		}
		if !sleep(ctx, backoff(tries)) {
			return asException(ctx.Err(), call)
		}
	}
}

func (c *connection) ping(ctx context.Context) error {
	if !c.controller {
		return c.Ping(ctx) //nolint:wrapcheck // the caller looks at it
	}
	_, err := c.SeedBrokers()[0].Request(ctx, apiVersionsRequest())
	return err //nolint:wrapcheck // the caller looks at it
}

// ask waits for a connection, sends a request to whom it belongs, and returns the answer. The name of the call is for time-outs.
func (c *connection) ask(ctx context.Context, call string, req kmsg.Request) (kmsg.Response, error) {
	if err := c.await(ctx, call); err != nil {
		return nil, err
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	var resp kmsg.Response
	var err error
	if c.controller {
		resp, err = c.SeedBrokers()[0].Request(ctx, req)
	} else {
		resp, err = c.Request(ctx, req)
	}
	if err != nil {
		return nil, asException(err, call)
	}
	return resp, nil
}

// sleep waits, and reports false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// within bounds a call by the connection's time-out.
func (c *connection) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// supports reports whether the broker answers a request at all.
func (c *connection) supports(ctx context.Context, key kmsg.Key) bool {
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := apiVersionsRequest().RequestWith(ctx, c.Client)
	if err != nil {
		return false
	}
	for _, k := range resp.ApiKeys {
		if k.ApiKey == key.Int16() {
			return true
		}
	}
	return false
}

// apiVersionsRequest asks for the versions a broker speaks; brokers refuse the request without a name of the software.
func apiVersionsRequest() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "bote", Version
	return req
}
