package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/botehq/bote/bench/broker"
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/bench/proc"
)

// javaTools runs Kafka's own performance tools. They measure their own time, without
// the start of their virtual machine. The broker's CPU time covers the whole run.
func javaTools(ctx context.Context, s *session, records int64) (load.Result, error) {
	tools, err := s.tools()
	if err != nil {
		return nil, err
	}
	b, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	o := s.options("produce")
	if err := load.Create(ctx, o); err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	all := load.Result{}
	count := fmt.Sprint(records)
	produced, err := runTool(ctx, b, tools, records, producedRate, "org.apache.kafka.tools.ProducerPerformance", "--topic", o.Topic, "--num-records", count, "--record-size", "1024",
		"--throughput", "-1", "--producer-props", "bootstrap.servers="+b.Address(), "acks=all", "batch.size=262144", "linger.ms=5", "buffer.memory=67108864")
	if err != nil {
		return nil, err
	}
	prefixed(all, producePrefix, produced)
	if err := proc.Sync(b.Dir()); err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	consumed, err := runTool(ctx, b, tools, records, consumedRate, "org.apache.kafka.tools.ConsumerPerformance", "--topic", o.Topic, "--num-records", count,
		"--bootstrap-server", b.Address(), "--hide-header", "--timeout", "60000")
	prefixed(all, consumePrefix, consumed)
	return all, err
}

// tools returns the Kafka whose tools are the client: the one that is measured too.
func (s *session) tools() (broker.Kafka, error) {
	for _, c := range s.columns {
		if k, ok := c.kind.(broker.Kafka); ok {
			return k, nil
		}
	}
	return broker.Kafka{}, errors.New("kafka's tools are there only when kafka is measured too")
}

// runTool runs a tool that moves records of 1 KiB, and finds in its output how many
// seconds that took.
func runTool(ctx context.Context, b *broker.Broker, tools broker.Kafka, records int64, rate func(string) (float64, error), class string, args ...string) (load.Result, error) {
	before, err := proc.CPUSeconds(b.PID())
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	out, err := tools.Tool(ctx, class, args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", class, err, out)
	}
	after, err := proc.CPUSeconds(b.PID())
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it did
	}
	perSecond, err := rate(string(out))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", class, err, out)
	}
	gigabytes := float64(records) * 1024 / 1e9
	return load.Result{load.RecordsPerS: perSecond, load.MBPerS: perSecond * 1024 / 1e6, load.BrokerCPU: after - before, load.CPUPerGB: (after - before) / gigabytes}, nil
}

// producedRate finds the records per second in the last line of the producer tool's
// output.
func producedRate(out string) (float64, error) {
	found := regexp.MustCompile(`records sent, ([0-9.]+) records/sec`).FindAllStringSubmatch(out, -1)
	if len(found) == 0 {
		return 0, errors.New("no rate in its output")
	}
	return strconv.ParseFloat(found[len(found)-1][1], 64) //nolint:wrapcheck // digits, since they matched
}

// consumedRate finds the records per second of fetching. That is the last field in
// the consumer tool's output, and does not count the wait for the group.
func consumedRate(out string) (float64, error) {
	for line := range strings.Lines(out) {
		fields := strings.Split(strings.TrimSpace(line), ", ")
		if len(fields) != 10 {
			continue
		}
		return strconv.ParseFloat(fields[9], 64) //nolint:wrapcheck // says what it is
	}
	return 0, errors.New("no rate in its output")
}
