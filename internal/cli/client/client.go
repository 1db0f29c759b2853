// Package client owns the Kafka client that the tools share. A Conn is made from Kafka's client settings. It reports problems
// in Kafka's log lines, and has the requests that several tools need, such as those for topics, brokers and the offsets of
// partitions. Committer, ConsumerOptions and ProducerOptions do what Kafka's consumer and producer do where franz-go behaves
// differently. A request that only one tool needs is in the package of that tool.
package client

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// The loggers of the Java client that appear in the tools' log lines.
const (
	loggerNetwork = "org.apache.kafka.clients.NetworkClient"
	loggerUtils   = "org.apache.kafka.clients.ClientUtils"
)

// Conn is a client of a cluster.
type Conn struct {
	*kgo.Client

	// Streams are those of the tool. Log lines go to its Err.
	Streams *tool.Streams
	// Timeout is default.api.timeout.ms, the limit for a whole call.
	Timeout time.Duration
	nodes   *nodeLog
	// Controller means that the addresses are those of controllers. Controllers do not know topics and do not route requests, so
	// the first one gets all requests.
	Controller bool
}

// Identity is the name of a client in Kafka's log lines: [AdminClient clientId=adminclient-1].
type Identity struct {
	Kind string
	ID   string
	// Extra stands after the client ID. For consumers it is ", groupId=g".
	Extra string
	// Bootstrap adds the log line about the bootstrap broker, which producers and consumers write.
	Bootstrap bool
	// Failure is the text of Kafka's exception for wrong addresses: it names the object that cannot be created.
	Failure string
}

func (i Identity) String() string { return "[" + i.Kind + " clientId=" + i.ID + i.Extra + "]" }

// AdminIdentity is the identity of Kafka's AdminClient.
func AdminIdentity() Identity {
	return Identity{Kind: "AdminClient", ID: "adminclient-1", Failure: "Failed to create new KafkaAdminClient"}
}

// Admin makes an admin client with the settings of a --command-config file.
func Admin(ctx context.Context, s *tool.Streams, servers string, settings tool.Properties) (*Conn, error) {
	return Connect(ctx, s, AdminIdentity(), servers, settings)
}

// Connect makes a client. It resolves the addresses first, as the Java clients do, but opens no connection.
func Connect(ctx context.Context, s *tool.Streams, who Identity, servers string, settings tool.Properties, more ...kgo.Opt) (*Conn, error) {
	c := &Settings{Properties: settings}
	who.ID = c.Get("client.id", who.ID)
	seeds, nodes, err := resolve(ctx, s, who, servers)
	if err != nil {
		return nil, err
	}
	opts, err := SecurityOptions(c)
	if err != nil {
		return nil, err
	}
	opts = append(opts,
		kgo.SeedBrokers(seeds...),
		kgo.ClientID(who.ID),
		kgo.WithHooks(nodes),
		kgo.RequestTimeoutOverhead(max(c.Millis("request.timeout.ms", 30_000), 100*time.Millisecond)),
		kgo.DialTimeout(c.Millis("socket.connection.setup.timeout.ms", 10_000)),
		kgo.MetadataMaxAge(max(c.Millis("metadata.max.age.ms", 300_000), 500*time.Millisecond)),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RetryBackoffFn(Backoff),
		kgo.DisableClientMetrics(),
	)
	timeout := c.Millis("default.api.timeout.ms", 60_000)
	if c.err != nil {
		return nil, c.err
	}
	cl, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, &exception.Error{Class: exception.Kafka, Text: err.Error(), Cause: err}
	}
	return &Conn{Client: cl, Streams: s, Timeout: timeout, nodes: nodes}, nil
}

// Who returns the client's name in log lines.
func (c *Conn) Who() Identity { return c.nodes.who }

// Silence stops the log lines about nodes that cannot be reached.
func (c *Conn) Silence() { c.nodes.quiet.Store(true) }

// Backoff returns the pause after so many attempts, as in the Java client: 50 ms, doubled up to a second.
func Backoff(tries int) time.Duration {
	return min(50*time.Millisecond<<min(max(tries-1, 0), 6), time.Second)
}

// Seeds returns the addresses of --bootstrap-server whose host names can be resolved. It is for clients that are not made by
// this package.
func Seeds(ctx context.Context, s *tool.Streams, servers string) ([]string, error) {
	seeds, _, err := resolve(ctx, s, AdminIdentity(), servers)
	return seeds, err
}

// resolve checks the addresses of --bootstrap-server and resolves their host names.
func resolve(ctx context.Context, s *tool.Streams, who Identity, servers string) ([]string, *nodeLog, error) {
	nodes := &nodeLog{s: s, who: who, addresses: map[string]string{}}
	var seeds []string
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if server == "" {
			continue
		}
		host, port, err := SplitServer(server)
		if err != nil {
			return nil, nil, failure(who, "Invalid url in bootstrap.servers: "+server)
		}
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil || len(addresses) == 0 {
			s.Log(tool.LevelWarn, loggerUtils, "Couldn't resolve server %s from bootstrap.servers as DNS resolution failed for %s", server, host)
			continue
		}
		seed := net.JoinHostPort(host, port)
		seeds = append(seeds, seed)
		nodes.addresses[seed] = preferV4(addresses)
	}
	if len(seeds) == 0 {
		return nil, nil, failure(who, "No resolvable bootstrap urls given in bootstrap.servers")
	}
	return seeds, nodes, nil
}

func failure(who Identity, cause string) error {
	return &exception.Error{Class: exception.Kafka, Text: who.Failure, Cause: exception.New(exception.Config, "%s", cause)}
}

func preferV4(addresses []string) string {
	for _, a := range addresses {
		if !strings.Contains(a, ":") {
			return a
		}
	}
	return addresses[0]
}

// SplitServer splits an address into host and port. The address may begin with a protocol, which is dropped.
func SplitServer(server string) (host, port string, err error) {
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

// Await waits until a broker answers, at most c.Timeout. The text of a time-out names the call, which is what the tool was
// about to do.
func (c *Conn) Await(ctx context.Context, call string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	for tries := 1; ; tries++ {
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		if denied := AuthenticationError(err); denied != nil {
			return denied
		}
		if !Sleep(ctx, Backoff(tries)) {
			return exception.Of(ctx.Err(), call)
		}
	}
}

func (c *Conn) ping(ctx context.Context) error {
	if !c.Controller {
		return c.Ping(ctx) //nolint:wrapcheck // the caller looks at it
	}
	_, err := c.SeedBrokers()[0].Request(ctx, APIVersionsRequest())
	return err //nolint:wrapcheck // the caller looks at it
}

// Ask waits for a connection, sends a request to the right broker, and returns the answer. The text of a time-out names the
// call.
func (c *Conn) Ask(ctx context.Context, call string, req kmsg.Request) (kmsg.Response, error) {
	if err := c.Await(ctx, call); err != nil {
		return nil, err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	var resp kmsg.Response
	var err error
	if c.Controller {
		resp, err = c.SeedBrokers()[0].Request(ctx, req)
	} else {
		resp, err = c.Request(ctx, req)
	}
	if err != nil {
		return nil, exception.Of(err, call)
	}
	return resp, nil
}

// Sleep waits. It returns false if the context ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Within limits a call to the connection's Timeout.
func (c *Conn) Within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.Timeout)
}

// Supports reports whether the broker knows a request.
func (c *Conn) Supports(ctx context.Context, key kmsg.Key) bool {
	ctx, cancel := c.Within(ctx)
	defer cancel()
	resp, err := APIVersionsRequest().RequestWith(ctx, c.Client)
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

// APIVersionsRequest makes a request for the versions that a broker supports. It names a client software, because brokers
// refuse the request without that.
func APIVersionsRequest() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "bote", tool.KafkaVersion
	return req
}
