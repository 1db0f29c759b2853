package config

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatProtectsRefusesTheStart sets protections that Kafka would enforce. bote does not enforce them, so it must not
// start with them; with harmless values of the same settings it must start.
func TestWhatProtectsRefusesTheStart(t *testing.T) {
	for setting, says := range map[string]string{
		"": "",
		"listener.security.protocol.map=PLAINTEXT:SSL,CONTROLLER:PLAINTEXT":               "listener PLAINTEXT has the security protocol SSL",
		"listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT":    "listener PLAINTEXT has the security protocol SASL_PLAINTEXT",
		"listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT":          "listener PLAINTEXT has the security protocol SASL_SSL",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:SSL":               "listener CONTROLLER has the security protocol SSL",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL": "",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer":   "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer is set",
		"authorizer.class.name=":                                                                                 "",
		"create.topic.policy.class.name=com.example.Policy":                                                      "create.topic.policy.class.name=com.example.Policy is set",
		"alter.config.policy.class.name=com.example.Policy":                                                      "alter.config.policy.class.name=com.example.Policy is set",
		"client.quota.callback.class=com.example.Quota":                                                          "client.quota.callback.class=com.example.Quota is set",
		"max.connection.creation.rate=100":                                                                       "max.connection.creation.rate=100 is set",
		"listener.name.plaintext.max.connection.creation.rate=100":                                               "listener.name.plaintext.max.connection.creation.rate=100 is set",
		"max.connection.creation.rate=2147483647":                                                                "",
		"controller.quorum.voters=1@a:9093,2@b:9093,3@c:9093":                                                    "controller.quorum.voters names 3 voters",
		"controller.quorum.voters=1@a:9093":                                                                      "controller.quorum.voters=1@a:9093 is not this node's controller listener",
		"controller.quorum.bootstrap.servers=a:9093,b:9093":                                                      "controller.quorum.bootstrap.servers names 2 servers",
		"process.roles=broker;listeners=PLAINTEXT://:9092;advertised.listeners=PLAINTEXT://localhost:9092":       "set process.roles=broker,controller",
		"process.roles=controller;listeners=CONTROLLER://:9093;advertised.listeners=CONTROLLER://localhost:9093": "set process.roles=broker,controller",
	} {
		values := stock()
		for pair := range strings.SplitSeq(setting, ";") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				values[name] = value
			}
		}
		server, _, err := ParseServer(values)
		require.NoError(t, err, setting)
		err = server.CheckServed(onlyLocalhost)
		if says == "" {
			require.NoError(t, err, setting)
			continue
		}
		require.ErrorContains(t, err, says, setting)
	}
}

// onlyLocalhost is the start of a new node whose node.id is unset, on a machine that can look up all names but one.
var onlyLocalhost = Start{LocateHost: func(host string) HostKind {
	switch host {
	case "localhost":
		return HereHost
	case "unknownhost":
		return UnknownHost
	}
	return OtherHost
}}

// TestAQuorumElsewhereRefusesTheStart: a broker that should join another node must not begin a cluster of its own. The
// broker's own node may be named in many ways.
func TestAQuorumElsewhereRefusesTheStart(t *testing.T) {
	for _, c := range []struct {
		servers, settings string
		refused           bool
	}{
		{servers: "localhost:9093"},
		{servers: ":9093"},
		{servers: "BROKER.example:9093", settings: "advertised.listeners=PLAINTEXT://broker.example:9092"},
		{servers: "10.0.0.7:9093", settings: "listeners=PLAINTEXT://:9092,CONTROLLER://10.0.0.7:9093"},
		{servers: "[2001:db8::7]:9093", settings: "listeners=PLAINTEXT://:9092,CONTROLLER://[2001:db8::7]:9093"},
		{servers: "localhost:1", settings: "listeners=PLAINTEXT://:9092,CONTROLLER://127.0.0.1:0"},
		{servers: "localhost:0"},
		{servers: "localhost:9193", settings: "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9193"},
		{servers: "localhost:9095", refused: true},
		{servers: "localhost:9092", refused: true},
		{servers: "otherhost:9093", refused: true},
		{servers: "unknownhost:9093", refused: true},
		{servers: "10.0.0.8:9093", settings: "listeners=PLAINTEXT://:9092,CONTROLLER://10.0.0.7:9093", refused: true},
		{servers: "otherhost:9093", settings: "listeners=PLAINTEXT://:9092,CONTROLLER://127.0.0.1:0", refused: true},
	} {
		values := stock()
		if name, value, ok := strings.Cut(c.settings, "="); ok {
			values[name] = value
		}
		for name, value := range map[string]string{"controller.quorum.bootstrap.servers": c.servers, "controller.quorum.voters": "1@" + c.servers} {
			values := maps.Clone(values)
			delete(values, "controller.quorum.bootstrap.servers")
			values[name] = value
			server, _, err := ParseServer(values)
			require.NoError(t, err, c)
			err = server.CheckServed(onlyLocalhost)
			if !c.refused {
				require.NoError(t, err, c)
				continue
			}
			require.ErrorContains(t, err, name+"="+value+" is not this node's controller listener", c)
			given, begun := onlyLocalhost, onlyLocalhost
			given.NodeIDSet, begun.HasCluster = true, true
			require.NoError(t, server.CheckServed(begun), c)
			if err = server.CheckServed(given); name == "controller.quorum.voters" {
				require.NoError(t, err, "as in Kafka, a voter of this node's ID is this node", c)
			} else {
				require.ErrorContains(t, err, name+"="+value+" is not this node's controller listener", c)
			}
		}
	}
	values := stock()
	values["controller.quorum.voters"] = "2@localhost:9093"
	_, _, err := ParseServer(values)
	require.ErrorContains(t, err, "the node id 1 must be included in the set of voters", "in Kafka's words")
}

// TestListenersAlone: if a file says nothing about roles and controllers, it need not name the controllers' listener
// either. If it does say something, Kafka's rules apply, with Kafka's error texts.
func TestListenersAlone(t *testing.T) {
	const refusal = "controller.listener.names must contain at least one value appearing in the 'listeners' configuration"
	for _, c := range []struct{ settings, listeners, says string }{
		{settings: "", listeners: "PLAINTEXT://:9092,CONTROLLER://127.0.0.1:0"},
		{settings: "listeners=PLAINTEXT://127.0.0.1:9094", listeners: "PLAINTEXT://127.0.0.1:9094,CONTROLLER://127.0.0.1:0"},
		{settings: "listeners=PLAINTEXT://:9094,controller://:9095", listeners: "PLAINTEXT://:9094,CONTROLLER://:9095"},
		{settings: "listeners=A://:9094,B://:9095;listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT;inter.broker.listener.name=A", listeners: "A://:9094,B://:9095,CONTROLLER://127.0.0.1:0"},
		{settings: "listeners=PLAINTEXT://:9094;process.roles=broker,controller", says: refusal},
		{settings: "listeners=PLAINTEXT://:9094;controller.listener.names=CONTROLLER", says: refusal},
		{settings: "listeners=PLAINTEXT://:9094;controller.quorum.voters=1@localhost:9093", says: refusal},
		{settings: "listeners=foo", says: "Unable to parse foo to a broker endpoint"},
	} {
		values := map[string]string{}
		for pair := range strings.SplitSeq(c.settings, ";") {
			if name, value, ok := strings.Cut(pair, "="); ok {
				values[name] = value
			}
		}
		Complete(values)
		server, _, err := ParseServer(values)
		if c.says != "" {
			require.ErrorContains(t, err, c.says, c.settings)
			continue
		}
		require.NoError(t, err, c.settings)
		require.NoError(t, server.CheckServed(onlyLocalhost), c.settings)
		var names []string
		for _, l := range server.Listeners {
			names = append(names, l.String())
		}
		require.Equal(t, c.listeners, strings.Join(names, ","), c.settings)
	}
}

// TestUnservedProtocolIsSaidFirst: the user must know this before anything about other missing settings.
func TestUnservedProtocolIsSaidFirst(t *testing.T) {
	for _, values := range []map[string]string{
		{"listeners": "SASL_SSL://:9092"},
		{"listeners": "SASL_SSL://:9092", "process.roles": "broker,controller"},
	} {
		Complete(values)
		require.ErrorContains(t, CheckProtocols(values), "listener SASL_SSL has the security protocol SASL_SSL, which bote does not serve yet")
	}
	require.NoError(t, CheckProtocols(map[string]string{"listeners": "foo"}), "ParseServer refuses it")
	require.NoError(t, CheckProtocols(stock()))
}

func TestSettingsWithoutEffectAreNamed(t *testing.T) {
	values := stock()
	maps.Copy(values, map[string]string{
		"num.io.threads": " 16 ", "sasl.enabled.mechanisms": "PLAIN", "ssl.client.auth": "none", "log.cleaner.threads": "2",
		"listener.name.plaintext.ssl.client.auth": "required", "log.retention.ms": "5",
	})
	server, _, err := ParseServer(values)
	require.NoError(t, err)
	names := WithoutEffect(BrokerKind, server.Static)
	require.Subset(t, names, []string{"num.io.threads", "sasl.enabled.mechanisms", "log.cleaner.threads", "listener.name.plaintext.ssl.client.auth"})
	require.NotContains(t, names, "ssl.client.auth", "that is the default")
	require.NotContains(t, names, "num.network.threads", "the file that Kafka ships has the default there")
	require.NotContains(t, names, "log.retention.ms", "in force")
}

// TestRulesWithoutAnAuthorizerAreNamed: Kafka ignores these settings too, but their users think that they keep somebody
// out. Like ZooKeeper's settings, they are not in the table.
func TestRulesWithoutAnAuthorizerAreNamed(t *testing.T) {
	values := stock()
	maps.Copy(values, map[string]string{"super.users": "User:admin", "allow.everyone.if.no.acl.found": "false", "zookeeper.connect": "localhost:2181"})
	server, warnings, err := ParseServer(values)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Subset(t, WithoutEffect(BrokerKind, server.Static), []string{"super.users", "allow.everyone.if.no.acl.found", "zookeeper.connect"})
	maps.Copy(values, map[string]string{"super.users": "", "allow.everyone.if.no.acl.found": "true", "zookeeper.connect": ""})
	server, _, err = ParseServer(values)
	require.NoError(t, err)
	names := WithoutEffect(BrokerKind, server.Static)
	for _, name := range []string{"super.users", "allow.everyone.if.no.acl.found", "zookeeper.connect"} {
		require.NotContains(t, names, name, "it asks for nothing that bote does not do")
	}
}

// TestTheShippedFileHasNothingWithoutEffect: the shipped file asks only for what bote does anyway.
func TestTheShippedFileHasNothingWithoutEffect(t *testing.T) {
	values := stock() // as in dist/packaging/config, which is Kafka's
	require.Empty(t, WithoutEffect(BrokerKind, values))
	values["offsets.topic.replication.factor"], values["num.recovery.threads.per.data.dir"] = "2", "8"
	require.Equal(t, []string{"num.recovery.threads.per.data.dir", "offsets.topic.replication.factor"}, WithoutEffect(BrokerKind, values))
}
