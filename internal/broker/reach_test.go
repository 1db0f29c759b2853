package broker

import (
	"fmt"
	"maps"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/meta"
	"github.com/botehq/bote/internal/meta/memmeta"
	"github.com/botehq/bote/internal/storage/vfs"
)

// shownElsewhere are the settings that the parts in this test do not get, each with the
// test that shows it in force.
var shownElsewhere = map[string]string{
	"auto.create.topics.enable": "TestAutoCreateTopicsMayBeOff", "delete.topic.enable": "TestDeleteTopicsMayBeOff",
	"fetch.max.bytes": "TestFetchMaxBytesBoundsAnAnswer", "num.partitions": "conformance createtopics/", "default.replication.factor": "conformance createtopics/",
	"max.incremental.fetch.session.cache.slots": "api TestSessionCache", "max.request.partition.size.limit": "conformance metadata/",
	"replication.factor.clamp": "root TestTrap51ReplicationFactor", "offsets.topic.ids.enable": "conformance versions/", "record.validation": "root TestRecordValidation",
	"offsets.topic.num.partitions": "root TestInternalTopicsRefuseClients", "offsets.topic.segment.bytes": "api createtopics.go, OffsetsTopic",
	"process.roles": "config TestWhatProtectsRefusesTheStart", "controller.listener.names": "root TestControllersListenerServesNoData",
	"controller.quorum.voters": "config TestWhatProtectsRefusesTheStart", "controller.quorum.bootstrap.servers": "config TestWhatProtectsRefusesTheStart",
	"listener.security.protocol.map": "config TestWhatProtectsRefusesTheStart", "security.inter.broker.protocol": "config server.txt: between brokers, of which there is one",
	"inter.broker.listener.name": "config server.txt: between brokers, of which there is one", "console.listeners": "root TestConsoleListeners",
	"log.dir": "root TestDataDirFromTheEnvironment, by log.dirs", "log.dirs": "root TestDataDirFromTheEnvironment", "broker.id": "root TestNodeIDComesFromBrokerID",
	"min.insync.replicas":             "there is one replica, and Kafka caps it at the number of replicas",
	"log.flush.scheduler.interval.ms": "config TestSynonymsInOtherUnits", "listeners": "every test",
}

// TestEverySettingReachesAPart changes one setting at a time, of those that are
// documented as in force, and checks that this changes the configuration of some part.
func TestEverySettingReachesAPart(t *testing.T) {
	usual := parts(t, nil)
	for _, k := range config.All(config.BrokerKind) {
		if k.Ignored || k.UnservedProtection || shownElsewhere[k.Name] != "" {
			continue
		}
		require.NotEqual(t, usual, parts(t, map[string]string{k.Name: another(k)}), "%s is in docs/config.md and reaches nobody", k.Name)
	}
}

// others are values for settings whose bounds depend on other settings.
var others = map[string]string{
	"queued.max.request.bytes": "200000000", "socket.request.max.bytes": "50000000", "max.connections.per.ip.overrides": "127.0.0.1:7",
	"advertised.listeners": "PLAINTEXT://other:1234,CONTROLLER://localhost:9093", "log.retention.hours": "9", "log.retention.minutes": "9", "log.roll.jitter.ms": "5",
}

// another returns a valid value that is not the default.
func another(k *config.Key) string {
	if v, ok := others[k.Name]; ok {
		return v
	}
	for _, v := range []string{
		"12345", "-1", "0.25", "true", "false", "zstd", "LogAppendTime", "os", "other-rack", "127.0.0.1:7", "compact", "9", "2", "70000",
	} {
		if k.Validate(v) == nil && (k.Default == nil || *k.Default != v) {
			return v
		}
	}
	if n, err := strconv.Atoi(*k.Default); err == nil && k.Validate(strconv.Itoa(n+1)) == nil {
		return strconv.Itoa(n + 1)
	}
	panic("no other value for " + k.Name)
}

// parts formats the configurations of the parts of a broker with these settings.
func parts(t *testing.T, change map[string]string) string {
	t.Helper()
	values := map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
		"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@localhost:9093", "log.dirs": "/data",
	}
	maps.Copy(values, change)
	if id := change["node.id"]; id != "" {
		values["controller.quorum.voters"] = id + "@localhost:9093"
	}
	server, _, err := config.ParseServer(values)
	require.NoError(t, err, "%v", change)
	b, err := Open(t.Context(), Config{Settings: server, FS: vfs.NewMem(), OpenMeta: func(string) (meta.Store, error) { return memmeta.New(), nil }})
	require.NoError(t, err, "%v", change)
	defer func() { require.NoError(t, b.Close()) }()
	wire := b.wireConfig()
	limits := wire.Limits()
	wire.Limits, wire.Logger = nil, nil
	store := b.storeConfig()
	store.FS, store.Logger, store.Now = nil, nil, nil
	topic := &catalog.Topic{Name: "t", Config: b.catalog.Snapshot().Layers(nil).TopicConfig()}
	advertised := map[string]string{}
	for name, e := range b.node.Endpoints {
		advertised[name] = e.Host
	}
	rack := ""
	if b.node.Rack != nil {
		rack = *b.node.Rack
	}
	// Produce's rules read the topic's config directly.
	return fmt.Sprintf("%+v %+v %+v %+v %+v %+v %s %v %d %v", wire, limits, store, b.groupConfig(), b.storageSettings(topic), topic.Config, rack, advertised, b.node.ID, b.producerExpiry())
}
