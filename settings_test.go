package bote_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote"
	"github.com/botehq/bote/botetest"
)

// to returns a client for one address that does not retry.
func to(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RequestRetries(0), kgo.RetryTimeout(1))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// TestControllersListenerServesNoData: a client that reaches only the controllers' port
// finds the APIs that Kafka's controllers serve, and can neither read nor write records.
func TestControllersListenerServesNoData(t *testing.T) {
	t.Parallel()
	client := to(t, botetest.New(t).Addrs()["CONTROLLER"])
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(t.Context(), client)
	require.NoError(t, err)
	var keys []int16
	for _, k := range versions.ApiKeys {
		keys = append(keys, k.ApiKey)
	}
	require.ElementsMatch(t, []int16{17, 18, 19, 20, 32, 33, 36, 37, 44, 46, 60}, keys)

	cluster := kmsg.NewPtrDescribeClusterRequest()
	cluster.EndpointType = 2
	described, err := cluster.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.NoError(t, kerr.ErrorForCode(described.ErrorCode))
	require.EqualValues(t, 2, described.EndpointType)
	cluster.EndpointType = 1
	described, err = cluster.RequestWith(t.Context(), client)
	require.NoError(t, err)
	require.ErrorIs(t, kerr.ErrorForCode(described.ErrorCode), kerr.MismatchedEndpointType)

	_, err = kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), client)
	require.Error(t, err)
	_, err = kmsg.NewPtrProduceRequest().RequestWith(t.Context(), client)
	require.Error(t, err)
	_, err = kmsg.NewPtrFetchRequest().RequestWith(t.Context(), client)
	require.Error(t, err)
}

// TestUnservedProtectionRefusesTheStart: a broker that its user believes to be protected
// must be protected.
func TestUnservedProtectionRefusesTheStart(t *testing.T) {
	t.Parallel()
	for setting, value := range map[string]string{
		"listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
		"authorizer.class.name":          "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"controller.quorum.voters":       "1@a:9093,2@b:9093,3@c:9093",
	} {
		_, err := bote.Open(t.Context(), bote.Config{InMemory: true, Listen: "127.0.0.1:0", Properties: map[string]string{setting: value}})
		require.Error(t, err, setting)
	}
}

// TestQuorumElsewhereOfAKnownNodeStarts: as in Kafka, a voter with the node's own ID is
// this node, whatever its host; and a data directory that belongs to a cluster begins no
// new one.
func TestQuorumElsewhereOfAKnownNodeStarts(t *testing.T) {
	t.Parallel()
	voters := map[string]string{"controller.quorum.voters": "1@otherhost.invalid:9093"}
	start := func(dir string, properties map[string]string) error {
		b, err := bote.Open(t.Context(), bote.Config{DataDir: dir, Listen: "127.0.0.1:0", Properties: properties})
		if err == nil {
			err = b.Close()
		}
		return err
	}
	dir := t.TempDir()
	require.ErrorContains(t, start(dir, voters), "is not this node's controller listener")
	require.NoError(t, start(dir, nil))
	require.NoError(t, start(dir, voters), "the directory has a cluster")
	require.NoError(t, start(t.TempDir(), map[string]string{"node.id": "1", "controller.quorum.voters": "1@otherhost.invalid:9093"}))
}

// TestQuorumOfThisNodeAloneStarts names this machine in the ways that users do, and
// another machine.
func TestQuorumOfThisNodeAloneStarts(t *testing.T) {
	t.Parallel()
	name, err := os.Hostname()
	require.NoError(t, err)
	for host, starts := range map[string]bool{"localhost": true, "127.0.0.1": true, "[::1]": true, "0.0.0.0": true, name: true, "192.0.2.1": false, "otherhost.invalid": false} {
		for _, setting := range []string{"controller.quorum.voters=1@", "controller.quorum.bootstrap.servers="} {
			key, value, _ := strings.Cut(setting+host+":9093", "=")
			b, err := bote.Open(t.Context(), bote.Config{InMemory: true, Listen: "127.0.0.1:0", Properties: map[string]string{key: value}})
			if !starts {
				require.ErrorContains(t, err, "is not this node's controller listener", setting+host)
				continue
			}
			require.NoError(t, err, setting+host)
			require.NoError(t, b.Close())
		}
	}
}

// TestSettingsWithoutEffectAreNamedOnce: the start logs them in one line.
func TestSettingsWithoutEffectAreNamedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b, err := bote.Open(t.Context(), bote.Config{
		InMemory: true, Listen: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Properties: map[string]string{"num.io.threads": "16", "log.cleaner.threads": "2"},
	})
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.Contains(t, log.String(), `msg="settings without effect in bote" settings="log.cleaner.threads, num.io.threads"`)
}

// TestUnknownSettingsAreNamed: the start logs them, each with the name that is probably
// meant, if there is one.
func TestUnknownSettingsAreNamed(t *testing.T) {
	t.Parallel()
	log := said(t, map[string]string{"foo.bar": "1", "num.partition": "1", "": "4"}, func(*kadm.Client) {})
	require.Contains(t, log, `msg="unknown setting, which is ignored" setting=foo.bar`+"\n")
	require.Contains(t, log, `msg="unknown setting, which is ignored" setting=""`+"\n")
	require.Contains(t, log, `msg="unknown setting, which is ignored" setting=num.partition nearest=num.partitions`+"\n")
}

// said runs a broker, lets a client change it, and returns the broker's log.
func said(t *testing.T, properties map[string]string, change func(*kadm.Client)) string {
	t.Helper()
	var log bytes.Buffer
	b, err := bote.Open(t.Context(), bote.Config{InMemory: true, Listen: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil)), Properties: properties})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- b.Serve(context.Background()) }()
	change(kadm.NewClient(to(t, b.Addr())))
	require.NoError(t, b.Close())
	require.NoError(t, <-served)
	return log.String()
}

// TestSettingsWithoutEffectAreNamedWhenTheyAreSet: settings that are set later are logged
// in the same way as at the start.
func TestSettingsWithoutEffectAreNamedWhenTheyAreSet(t *testing.T) {
	t.Parallel()
	const line = `msg="settings without effect in bote" `
	set := func(pairs ...string) (changes []kadm.AlterConfig) {
		for i := 0; i < len(pairs); i += 2 {
			changes = append(changes, kadm.AlterConfig{Name: pairs[i], Value: &pairs[i+1]})
		}
		return changes
	}
	log := said(t, nil, func(adm *kadm.Client) {
		ctx := t.Context()
		_, err := adm.CreateTopic(ctx, 1, 1, map[string]*string{"min.compaction.lag.ms": new("7"), "retention.ms": new("9000")}, "created")
		require.NoError(t, err)
		_, err = adm.CreateTopic(ctx, 1, 1, nil, "altered")
		require.NoError(t, err)
		for range 2 { // the second time, nothing changes
			_, err = adm.AlterBrokerConfigs(ctx, set("num.io.threads", "4", "log.cleaner.threads", "4", "log.retention.ms", "99999"), 1)
			require.NoError(t, err)
			_, err = adm.AlterTopicConfigs(ctx, set("delete.retention.ms", "5"), "altered")
			require.NoError(t, err)
			_, err = adm.AlterTopicConfigsState(ctx, set("delete.retention.ms", "5"), "altered")
			require.NoError(t, err)
		}
		_, err = adm.AlterBrokerConfigs(ctx, set("background.threads", "20"))
		require.NoError(t, err)
		_, err = adm.ValidateAlterTopicConfigs(ctx, set("preallocate", "true"), "altered")
		require.NoError(t, err)
		_, err = adm.AlterTopicConfigs(ctx, set("preallocate", "false"), "altered") // the default
		require.NoError(t, err)
	})
	require.Equal(t, 4, strings.Count(log, line), log)
	require.Contains(t, log, line+`settings=min.compaction.lag.ms topic=created`)
	require.Contains(t, log, line+`settings="log.cleaner.threads, num.io.threads" broker=1`)
	require.Contains(t, log, line+`settings=background.threads`+"\n")
	require.Contains(t, log, line+`settings=delete.retention.ms topic=altered`)
}

// TestCompactionThatDoesNotHappenIsSaid: Kafka would delete records, and bote keeps them
// all.
func TestCompactionThatDoesNotHappenIsSaid(t *testing.T) {
	t.Parallel()
	const line = `msg="cleanup.policy has compact, which bote does not do yet: nothing is deleted by compaction" `
	log := said(t, map[string]string{"log.cleanup.policy": "compact"}, func(adm *kadm.Client) {
		ctx := t.Context()
		_, err := adm.CreateTopic(ctx, 1, 1, nil, "as-the-broker")
		require.NoError(t, err)
		_, err = adm.CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": new("delete,compact")}, "created")
		require.NoError(t, err)
		_, err = adm.CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": new("delete")}, "altered")
		require.NoError(t, err)
		for range 2 {
			_, err = adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "cleanup.policy", Value: new("compact")}}, "altered")
			require.NoError(t, err)
		}
	})
	require.Equal(t, 3, strings.Count(log, line), log)
	require.Contains(t, log, "level=WARN "+line+"setting=log.cleanup.policy")
	require.Contains(t, log, "level=INFO "+line+"topic=created")
	require.Contains(t, log, "level=INFO "+line+"topic=altered")

	log = said(t, nil, func(adm *kadm.Client) {
		_, err := adm.AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: "log.cleanup.policy", Value: new("compact")}})
		require.NoError(t, err)
	})
	require.Equal(t, 1, strings.Count(log, line), log)
	require.Contains(t, log, line+"setting=log.cleanup.policy")
}

// TestNodeIDComesFromBrokerID: files of old releases have only broker.id.
func TestNodeIDComesFromBrokerID(t *testing.T) {
	t.Parallel()
	client := to(t, botetest.New(t, botetest.WithProperty("broker.id", "7")).Addr())
	meta, err := kadm.NewClient(client).BrokerMetadata(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 7, meta.Brokers[0].NodeID)
}

// TestDataDirFromTheEnvironment resolves a reference to a config provider.
func TestDataDirFromTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BOTE_TEST_DATA", dir)
	b, err := bote.Open(t.Context(), bote.Config{Listen: "127.0.0.1:0", Properties: map[string]string{"log.dirs": "${env:BOTE_TEST_DATA}"}})
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.FileExists(t, dir+"/meta.properties")
	_, err = bote.Open(t.Context(), bote.Config{Listen: "127.0.0.1:0", Properties: map[string]string{"log.dirs": "${env:BOTE_TEST_NONE}"}})
	require.ErrorContains(t, err, "the environment variable BOTE_TEST_NONE is not set")
}

// TestConnectionLimitsChangeWhileTheBrokerRuns: kafka-configs may change these limits,
// and the next connection is held to them.
func TestConnectionLimitsChangeWhileTheBrokerRuns(t *testing.T) {
	t.Parallel()
	b := botetest.New(t)
	first := to(t, b.Addr())
	alter := func(name, value string) error {
		res, err := kadm.NewClient(first).AlterBrokerConfigs(context.Background(), []kadm.AlterConfig{{Name: name, Value: &value}})
		if err != nil {
			return err
		}
		if res[0].Err != nil {
			return fmt.Errorf("%w: %s", res[0].Err, res[0].ErrMessage)
		}
		return nil
	}
	require.NoError(t, to(t, b.Addr()).Ping(t.Context()))
	for _, c := range []struct{ name, low, high string }{
		{"max.connections", "1", "2147483647"},
		{"max.connections.per.ip", "0", "2147483647"},
		{"max.connections.per.ip.overrides", "127.0.0.1:0", ""},
	} {
		require.NoError(t, alter(c.name, c.low))
		require.Error(t, to(t, b.Addr()).Ping(t.Context()), c.name)
		require.NoError(t, alter(c.name, c.high))
		require.NoError(t, to(t, b.Addr()).Ping(t.Context()), c.name)
	}
	require.ErrorContains(t, alter("max.connection.creation.rate", "5"), "does not serve")
}
