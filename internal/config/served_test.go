package config

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhatProtectsRefusesTheStart sets what Kafka would enforce. A broker that does not
// must not start; one that sets the same names to harmless values must.
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
		"controller.quorum.voters=1@a:9093":                                                                      "",
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
		err = server.CheckServed()
		if says == "" {
			require.NoError(t, err, setting)
			continue
		}
		require.ErrorContains(t, err, says, setting)
	}
}

func TestSettingsWithoutEffectAreNamed(t *testing.T) {
	values := stock()
	maps.Copy(values, map[string]string{
		"num.io.threads": " 16 ", "sasl.enabled.mechanisms": "PLAIN", "ssl.client.auth": "none", "log.cleaner.threads": "2",
		"listener.name.plaintext.ssl.client.auth": "required", "log.retention.ms": "5",
	})
	server, _, err := ParseServer(values)
	require.NoError(t, err)
	names := server.WithoutEffect()
	require.Subset(t, names, []string{"num.io.threads", "sasl.enabled.mechanisms", "log.cleaner.threads", "listener.name.plaintext.ssl.client.auth"})
	require.NotContains(t, names, "ssl.client.auth", "that is the default")
	require.NotContains(t, names, "num.network.threads", "the file that Kafka ships has the default there")
	require.NotContains(t, names, "log.retention.ms", "in force")
}
