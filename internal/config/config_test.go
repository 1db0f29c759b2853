package config

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is a row of testdata/configs-*.json, recorded from Kafka 4.2.
type golden struct {
	Name      string
	Value     *string
	Default   *string
	Type      string
	Source    string
	Sensitive bool
	ReadOnly  bool
	Synonyms  []struct {
		Name   string
		Value  *string
		Source string
	}
}

func goldens(t *testing.T, kind string) []golden {
	t.Helper()
	data, err := os.ReadFile("testdata/configs-" + kind + ".json")
	require.NoError(t, err)
	var rows []golden
	require.NoError(t, json.Unmarshal(data, &rows))
	require.NotEmpty(t, rows)
	return rows
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	var list []string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		list = append(list, scan.Text())
	}
	require.NotEmpty(t, list)
	return list
}

func TestTableHoldsKafkasNames(t *testing.T) {
	for name, kind := range map[string]Kind{"broker": BrokerKind, "topic": TopicKind, "group": GroupKind} {
		own := 0
		for _, k := range All(kind) {
			require.NotEmpty(t, k.Doc, k.Name)
			require.Regexp(t, `\.$`, k.Documentation(), k.Name)
			if k.NotInKafka {
				own++
			}
			if k.Default != nil {
				require.NoError(t, k.Validate(*k.Default), k.Name)
			}
		}
		rows := goldens(t, name)
		require.Len(t, All(kind), len(rows)+own)
		for _, want := range rows {
			k, ok := Lookup(kind, want.Name)
			require.True(t, ok, want.Name)
			require.Equal(t, want.Type, k.Type.String(), want.Name)
			require.Equal(t, want.Sensitive, k.Sensitive(), want.Name)
			require.Equal(t, want.Default, k.Default, want.Name)
			require.Equal(t, want.ReadOnly, k.Update == ReadOnly, want.Name)
		}
	}
}

// stock returns the settings with which testdata/configs-*.json were recorded.
func stock() map[string]string {
	return map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "controller.quorum.bootstrap.servers": "localhost:9093",
		"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "inter.broker.listener.name": "PLAINTEXT",
		"advertised.listeners":           "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
		"controller.listener.names":      "CONTROLLER",
		"listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
		"num.network.threads":            "3", "num.io.threads": "8", "socket.send.buffer.bytes": "102400", "socket.receive.buffer.bytes": "102400",
		"socket.request.max.bytes": "104857600", "log.dirs": "/tmp/kraft-combined-logs", "num.partitions": "1", "num.recovery.threads.per.data.dir": "1",
		"offsets.topic.replication.factor": "1", "share.coordinator.state.topic.replication.factor": "1", "share.coordinator.state.topic.min.isr": "1",
		"transaction.state.log.replication.factor": "1", "transaction.state.log.min.isr": "1", "log.retention.hours": "168",
		"log.segment.bytes": "1073741824", "log.retention.check.interval.ms": "300000",
	}
}

func stockLayers() Layers {
	return Layers{Static: stock(), DynamicDefault: map[string]string{"min.insync.replicas": "1"}}
}

func TestDescribeAsKafka(t *testing.T) {
	for name, entries := range map[string][]Entry{
		"broker": stockLayers().BrokerEntries(), "topic": stockLayers().TopicEntries(), "group": GroupEntries(nil),
	} {
		rows := goldens(t, name)
		require.Len(t, entries, len(rows))
		for i, want := range rows {
			e := entries[i]
			require.Equal(t, want.Name, e.Name)
			require.Equal(t, want.Value, e.Value, e.Name)
			require.Equal(t, want.Source, e.Source.String(), e.Name)
			require.Equal(t, want.Type, e.Type.String(), e.Name)
			require.Equal(t, want.Sensitive, e.Sensitive, e.Name)
			require.Equal(t, want.ReadOnly, e.ReadOnly, e.Name)
			require.Len(t, e.Synonyms, len(want.Synonyms), e.Name)
			for j, s := range want.Synonyms {
				require.Equal(t, s.Name, e.Synonyms[j].Name)
				require.Equal(t, s.Value, e.Synonyms[j].Value)
				require.Equal(t, s.Source, e.Synonyms[j].Source.String())
			}
		}
	}
}

func TestSynonymsInOtherUnits(t *testing.T) {
	l := stockLayers()
	l.Topic = map[string]string{"retention.ms": "5000", "cleanup.policy": "compact,delete"}
	l.DynamicDefault["log.retention.ms"] = "86400000"
	show := func(e Entry) string {
		var parts []string
		for _, s := range e.Synonyms {
			parts = append(parts, s.Source.String()+":"+s.Name+"="+*s.Value)
		}
		return *e.Value + " {" + strings.Join(parts, ", ") + "}"
	}
	k, _ := Lookup(TopicKind, "retention.ms")
	require.Equal(t, "5000 {DYNAMIC_TOPIC_CONFIG:retention.ms=5000, DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000, STATIC_BROKER_CONFIG:log.retention.hours=168, DEFAULT_CONFIG:log.retention.hours=168}", show(l.topicEntry(k)))
	l.Topic = nil
	require.Equal(t, "86400000", l.TopicValue("retention.ms"))
	entries := l.DefaultEntries()
	require.Len(t, entries, 2)
	require.Equal(t, "86400000 {DYNAMIC_DEFAULT_BROKER_CONFIG:log.retention.ms=86400000}", show(entries[0]))

	l = Layers{Static: map[string]string{"log.retention.hours": "2", "log.roll.hours": "1", "log.flush.scheduler.interval.ms": "7"}}
	require.Equal(t, "7200000 {}", show(l.topicEntry(k)))
	require.Equal(t, int64(7_200_000), l.TopicConfig().RetentionMs)
	require.Equal(t, int64(3_600_000), l.TopicConfig().SegmentMs)
	require.Equal(t, int64(7), l.TopicConfig().FlushMs)
	l.Static["log.retention.minutes"] = "-1"
	require.Equal(t, int64(-1), l.TopicConfig().RetentionMs)
}

func TestUnknownAndListenerNames(t *testing.T) {
	l := Layers{Static: map[string]string{"my.plugin.key": "secret", "listener.name.internal.ssl.keystore.location": "/x", "log.flush": "os"}}
	found := map[string]Entry{}
	for _, e := range l.BrokerEntries() {
		found[e.Name] = e
	}
	require.True(t, found["my.plugin.key"].Sensitive)
	require.Nil(t, found["my.plugin.key"].Value)
	require.Equal(t, "/x", *found["listener.name.internal.ssl.keystore.location"].Value)
	require.Equal(t, "os", *found["log.flush"].Value)
}

func TestTopicConfig(t *testing.T) {
	c := Layers{Topic: map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime", "min.cleanable.dirty.ratio": ".3"}}.TopicConfig()
	require.True(t, c.CleanupCompact)
	require.False(t, c.CleanupDelete)
	require.True(t, c.LogAppendTime)
	require.InDelta(t, 0.3, c.MinCleanableDirtyRatio, 0)
	require.Equal(t, int32(1<<30), c.SegmentBytes)
	require.Equal(t, int32(1048588), c.MaxMessageBytes)
	require.Equal(t, int64(604800000), c.RetentionMs)

	c = Layers{Topic: map[string]string{"cleanup.policy": ""}}.TopicConfig()
	require.False(t, c.CleanupCompact || c.CleanupDelete)
}

func TestValidateTopic(t *testing.T) {
	for name, c := range map[string]struct {
		values map[string]string
		want   string
	}{
		"unknown":  {map[string]string{"foo": "1"}, "Unknown topic config name: foo"},
		"value":    {map[string]string{"retention.ms": "x"}, "Invalid value x for configuration retention.ms: Not a number of type LONG"},
		"conflict": {map[string]string{"min.compaction.lag.ms": "10", "max.compaction.lag.ms": "5"}, "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
		"tiered":   {map[string]string{"remote.storage.enable": "true"}, "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
	} {
		t.Run(name, func(t *testing.T) {
			require.EqualError(t, Layers{Topic: c.values}.ValidateTopic(), c.want)
		})
	}
	require.NoError(t, Layers{Topic: map[string]string{"cleanup.policy": "compact,compact", "retention.ms": "-1"}}.ValidateTopic())
}

// TestValuesAsKafka replays testdata/values.txt. Each line has kind, name, value, and the result of Kafka 4.2's
// ConfigDef.
func TestValuesAsKafka(t *testing.T) {
	kinds := map[string]Kind{"broker": BrokerKind, "topic": TopicKind, "group": GroupKind}
	for _, line := range lines(t, "testdata/values.txt") {
		f := strings.Split(line, "\t")
		require.Len(t, f, 4, line)
		k, ok := Lookup(kinds[f[0]], f[1])
		require.True(t, ok, f[1])
		got, err := k.Canonical(f[2])
		if want, bad := strings.CutPrefix(f[3], "error "); bad {
			require.EqualError(t, err, want, line)
			continue
		}
		require.NoError(t, err, line)
		if k.Type != Password {
			require.Equal(t, strings.TrimPrefix(f[3], "ok "), got, line)
		}
	}
	k, _ := Lookup(TopicKind, "cleanup.policy")
	got, err := k.Canonical("delete, compact,delete")
	require.NoError(t, err)
	require.Equal(t, "delete,compact", got)
}

// TestServerAsKafka replays testdata/server.txt. Each line has changes to a small server.properties, and Kafka 4.2's
// answer.
func TestServerAsKafka(t *testing.T) {
	small := map[string]string{
		"process.roles": "broker,controller", "node.id": "1", "controller.quorum.bootstrap.servers": "localhost:9093",
		"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "advertised.listeners": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
		"controller.listener.names": "CONTROLLER", "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT", "log.dirs": "data",
	}
	for _, line := range lines(t, "testdata/server.txt") {
		change, want, _ := strings.Cut(line, "\t")
		values := maps.Clone(small)
		for part := range strings.SplitSeq(change, ";") {
			if name, removed := strings.CutPrefix(part, "-"); removed {
				delete(values, name)
			} else if name, v, ok := strings.Cut(part, "="); ok {
				values[name] = v
			}
		}
		_, _, err := ParseServer(values)
		if want == "ok" {
			require.NoError(t, err, change)
			continue
		}
		require.Error(t, err, change)
		var refused *Error
		require.ErrorAs(t, err, &refused, change)
		require.Equal(t, want, refused.Class+": "+refused.Text, change)
	}
}

func TestServer(t *testing.T) {
	values := stock()
	values["log.flush"] = "interval"
	values["log.flush.interval.ms"] = "50"
	values["num.partition"] = "3"
	values["zookeeper.connect"] = "localhost:2181"
	values["something.else"] = "x"
	s, warned, err := ParseServer(values)
	require.NoError(t, err)
	require.Equal(t, []Warning{{"num.partition", "num.partitions"}, {"something.else", ""}}, warned)
	require.Equal(t, "num.partition is not a known setting and has no effect: did you mean num.partitions?", warned[0].String())
	require.Equal(t, FlushInterval, s.Durability)
	require.Equal(t, int64(50), s.FlushInterval.Milliseconds())
	require.Equal(t, []string{"/tmp/kraft-combined-logs"}, s.LogDirs)
	require.Equal(t, "PLAINTEXT", s.InterBrokerListener)
	require.Equal(t, []Listener{{Name: "PLAINTEXT", Port: 9092, Protocol: Plaintext}, {Name: "CONTROLLER", Port: 9093, Protocol: Plaintext, Controller: true}}, s.Listeners)
	require.Equal(t, "localhost", s.Advertised[0].Host)
	require.Equal(t, int32(50), s.Groups.OffsetsPartitions)
	require.Equal(t, int32(104857600), s.Connections.RequestMaxBytes)
	require.Equal(t, "bidirectional", s.Groups.ConsumerMigration)
	require.True(t, s.AutoCreateTopics)
	require.Equal(t, "168h0m0s", s.Txns.IDExpiry.String())
	require.Equal(t, "168h0m0s", s.Groups.OffsetsRetention.String())
}

func TestProperties(t *testing.T) {
	text := "# comment\n! another\n a = b \nc:d\ne f g\nlong=one,\\\n   two\\\\\nu=\\u00e9\\ud83d\\ude00\nk\\=x=1\nempty=\nalone\r\na=last\rtab=\\ta\nnot joined\\\\=1\nend=\\"
	got, err := ParseProperties(strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"a": "last", "c": "d", "e": "f g", "long": `one,two\`, "u": "é😀", "k=x": "1", "empty": "", "alone": "", "tab": "\ta", "not": `joined\=1`, "end": "",
	}, got)

	got, err = ParseProperties(strings.NewReader("name=\xe9\xfc\nkorean=제목\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"name": "éü", "korean": "제목"}, got)

	_, err = ParseProperties(strings.NewReader("a=\\u12x4"))
	require.EqualError(t, err, `read value of property "a": malformed \uxxxx encoding`)
}

func TestConsoleListeners(t *testing.T) {
	t.Parallel()
	values := map[string]string{"node.id": "1", "process.roles": "broker,controller", "controller.listener.names": "CONTROLLER", "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.quorum.voters": "1@localhost:9093"}
	server, _, err := ParseServer(values)
	require.NoError(t, err)
	require.Empty(t, server.Console)
	require.EqualValues(t, -1, server.Connections.RequestMemory)
	values["console.listeners"] = "localhost:9080,[::1]:9080,:9081"
	server, _, err = ParseServer(values)
	require.NoError(t, err)
	require.Equal(t, []string{"localhost:9080", "[::1]:9080", ":9081"}, server.Console)
	values["console.listeners"] = "9080"
	_, _, err = ParseServer(values)
	require.ErrorContains(t, err, "console.listeners must be addresses as host:port, but one is 9080")
}
