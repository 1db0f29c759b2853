package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// CheckServed refuses what Kafka does and bote does not, where starting all the same would leave the broker less protected
// than its settings say, or make a cluster of its own of a broker that is meant to join one. Values that Kafka itself
// refuses are ParseServer's.
func (s *Server) CheckServed() error {
	for _, check := range []func() error{s.checkProtocols, s.checkProtection, s.checkAlone} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// unserved is the refusal of something that Kafka would do.
func unserved(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Class: ClassConfig}
}

func (s *Server) checkProtocols() error {
	for _, l := range s.Listeners {
		if l.Protocol != Plaintext {
			return unserved("listener %s has the security protocol %s, which bote does not serve yet: it would answer everybody in plain text. "+
				"Map the listener to PLAINTEXT in listener.security.protocol.map and let only trusted hosts reach it.", l.Name, l.Protocol)
		}
	}
	return nil
}

func (s *Server) checkProtection() error {
	for _, name := range slices.Sorted(maps.Keys(s.Static)) {
		k, ok := Lookup(BrokerKind, base(name))
		if !ok || !k.Protects || !k.isSet(s.Static[name]) {
			continue
		}
		return unserved("%s=%s is set, and bote does not serve it yet: the broker would be less protected than its settings say. Remove the setting to start without that protection.",
			name, s.Static[name])
	}
	return nil
}

// checkAlone refuses a quorum with other nodes: each of them would become a cluster of its own.
func (s *Server) checkAlone() error {
	const alone = "bote runs as one broker, which is its own controller"
	if !s.Broker || !s.Controller {
		return unserved("%s: set process.roles=broker,controller.", alone)
	}
	if len(s.QuorumVoters) > 1 {
		return unserved("controller.quorum.voters names %d voters, but %s: name this node alone.", len(s.QuorumVoters), alone)
	}
	if len(s.QuorumServers) > 1 {
		return unserved("controller.quorum.bootstrap.servers names %d servers, but %s: name this node alone.", len(s.QuorumServers), alone)
	}
	return nil
}

// isSet reports whether a value asks for more than the default does.
func (k *Key) isSet(v string) bool {
	if strings.TrimSpace(v) == "" {
		return false
	}
	return k.Default == nil || canonical(k, v) != *k.Default
}

// WithoutEffect lists the settings that are known, have another value than the default, and change nothing, in name order.
func (s *Server) WithoutEffect() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.Static)) {
		if k, ok := Lookup(BrokerKind, base(name)); ok && k.Ignored && k.isSet(s.Static[name]) {
			names = append(names, name)
		}
	}
	return names
}
