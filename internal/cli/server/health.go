package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
)

// healthOptions are the flags of health.
type healthOptions struct {
	bootstrap string
	wait      time.Duration
	timeout   time.Duration
}

func (o *healthOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&o.bootstrap, "bootstrap-server", "b", "localhost:9092", "`host:port` of the broker")
	f.DurationVar(&o.wait, "wait", 0, "how long to wait until the broker is ready; by default there is one attempt")
	f.DurationVar(&o.timeout, "timeout", 5*time.Second, "limit for one attempt")
}

// NewHealthCommand is bote health.
func NewHealthCommand(s *tool.Streams) *cobra.Command {
	var o healthOptions
	c := &cobra.Command{
		Use:     "health [HOST:PORT]",
		Short:   "Check that a broker is ready",
		Long:    "Check that a broker is ready: it answers clients, every partition has a leader, and clients can reach the advertised address. The exit code is 0 if it is ready, else 1.",
		Example: "  bote health --wait 30s localhost:9092",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, addresses []string) error {
			if len(addresses) > 0 {
				o.bootstrap = addresses[0]
			}
			report, err := o.check(c.Context())
			if err != nil && c.Context().Err() != nil {
				return verb.CodeError(tool.Interrupted(c.Context()))
			}
			if err != nil {
				return fmt.Errorf("%s is not ready: %w", o.bootstrap, err)
			}
			s.Printf("%s\n", report)
			return nil
		},
	}
	o.addFlags(c)
	return c
}

// check asks the broker until it is ready or the wait is over.
func (o *healthOptions) check(ctx context.Context) (string, error) {
	const between = 100 * time.Millisecond
	deadline := time.Now().Add(o.wait)
	for {
		report, err := o.ask(ctx)
		if err == nil || time.Until(deadline) < between {
			return report, err
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), err)
		case <-time.After(between):
		}
	}
}

func (o *healthOptions) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(o.bootstrap), kgo.ClientID("bote-health"), kgo.RequestRetries(0), kgo.DialTimeout(o.timeout))
	if err != nil {
		return "", fmt.Errorf("make client: %w", err)
	}
	defer client.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil // nil asks for all topics
	resp, err := req.RequestWith(ctx, client)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errRefusedOnWindows) {
		return "", fmt.Errorf("ask for metadata: %w. Is a broker running there? `bote serve` starts one.", err) //nolint:staticcheck // two sentences
	}
	if err != nil {
		return "", fmt.Errorf("ask for metadata: %w", err)
	}
	partitions, leaderless := 0, 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			partitions++
			if p.Leader < 0 {
				leaderless++
			}
		}
	}
	if leaderless > 0 {
		return "", fmt.Errorf("%d of %d partitions have no leader", leaderless, partitions)
	}
	if err := o.checkAdvertised(ctx, client, resp.Brokers); err != nil {
		return "", err
	}
	cluster := "?"
	if resp.ClusterID != nil {
		cluster = *resp.ClusterID
	}
	return fmt.Sprintf("ready: cluster %s, %d broker(s), %d topic(s), %d partition(s)", cluster, len(resp.Brokers), len(resp.Topics), partitions), nil
}

// errRefusedOnWindows is WSAECONNREFUSED.
const errRefusedOnWindows = syscall.Errno(10061)

// checkAdvertised connects to the addresses that the brokers advertise. Clients cannot use a broker that advertises an address
// where nothing answers.
func (o *healthOptions) checkAdvertised(ctx context.Context, client *kgo.Client, brokers []kmsg.MetadataResponseBroker) error {
	for _, b := range brokers {
		req := kmsg.NewPtrApiVersionsRequest()
		if _, err := client.Broker(int(b.NodeID)).RetriableRequest(ctx, req); err != nil {
			return fmt.Errorf("broker %d tells clients to connect to %s (advertised.listeners), but does not answer there: %w", b.NodeID, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), err)
		}
	}
	return nil
}
