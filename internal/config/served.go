package config

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Start is what CheckServed must know about a start besides the settings.
type Start struct {
	NodeIDSet  bool                       // node.id was set; as in Kafka, a voter with that ID is then this node
	HasCluster bool                       // the data directory belongs to a cluster already
	LocateHost func(host string) HostKind // says where a host is
}

// HostKind says where a host is: here, elsewhere, or unknown.
type HostKind int

// The kinds of hosts.
const (
	UnknownHost HostKind = iota // the name cannot be looked up
	OtherHost
	HereHost
)

// CheckServed refuses settings that Kafka acts on and bote does not, if starting anyway would be dangerous: the broker
// would be less protected than its settings say, or a broker that should join a cluster would begin its own.
// ParseServer refuses the values that Kafka itself refuses.
func (s *Server) CheckServed(at Start) error {
	for _, check := range []func() error{s.checkProtocols, s.checkProtection, s.checkAlone} {
		if err := check(); err != nil {
			return err
		}
	}
	return s.checkQuorumIsHere(at)
}

// unserved is the error for something that Kafka would do.
func unserved(format string, args ...any) error {
	return &Error{Text: fmt.Sprintf(format, args...), Class: ClassConfig}
}

// CheckProtocols refuses the listeners that CheckServed would refuse. Call it before ParseServer, which may otherwise
// complain first about another setting that a secured listener needs. CheckProtocols ignores listeners that ParseServer
// refuses.
func CheckProtocols(values map[string]string) error {
	var server Server
	if (settings{Layers{Static: values}}).readListeners(&server) == nil {
		return server.checkProtocols()
	}
	return nil
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
		if !ok || !k.UnservedProtection || !k.isSet(s.Static[name]) {
			continue
		}
		return unserved("%s=%s is set, and bote does not serve it yet: the broker would be less protected than its settings say. Remove the setting to start without that protection.",
			name, s.Static[name])
	}
	return nil
}

// checkAlone refuses a quorum with other nodes, because each of them would become a cluster of its own.
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

// checkQuorumIsHere refuses a single controller that is another node, for the same reason as checkAlone. If the data
// directory belongs to a cluster already, no new cluster begins, so any controller may be named. If node.id was set, a
// voter with that ID is this node.
func (s *Server) checkQuorumIsHere(at Start) error {
	if at.HasCluster {
		return nil
	}
	for _, server := range s.QuorumServers {
		if err := s.checkOwnController("controller.quorum.bootstrap.servers", "", server, at); err != nil {
			return err
		}
	}
	if at.NodeIDSet {
		return nil // ParseServer has compared the IDs.
	}
	for _, voter := range s.QuorumVoters {
		id, address, _ := strings.Cut(voter, "@")
		if err := s.checkOwnController("controller.quorum.voters", id+"@", address, at); err != nil {
			return err
		}
	}
	return nil
}

// checkOwnController refuses an address that is not the address of this node's controller listener. A listener on port
// 0 gets its port when it is bound, so any port may be right then.
func (s *Server) checkOwnController(setting, id, address string, at Start) error {
	const text = "%s=%s is not this node's controller listener, %s: %s. bote runs as one broker, which is its own controller, and would begin a cluster of its own. " +
		"Name this node, as %slocalhost:%d, or remove the setting."
	own := s.controllerListener()
	refuse := func(why string) error {
		return unserved(text, setting, id+address, own, why, id, cmp.Or(own.Port, 9093))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return refuse("it is not host:port")
	}
	hosts, ports := []string{""}, []string{"0"}
	for _, l := range slices.Concat(s.Listeners, s.Advertised) {
		hosts = append(hosts, l.Host)
		if l.Controller {
			ports = append(ports, strconv.Itoa(l.Port))
		}
	}
	if !slices.Contains(ports, port) && !slices.Contains(ports[1:], "0") {
		return refuse("the port is another")
	}
	if slices.ContainsFunc(hosts, func(own string) bool { return strings.EqualFold(own, host) }) {
		return nil
	}
	switch at.LocateHost(host) {
	case OtherHost:
		return refuse("the host is another machine")
	case UnknownHost:
		return refuse("the host's name cannot be looked up")
	case HereHost:
	}
	return nil
}

func (s *Server) controllerListener() Listener {
	for _, l := range slices.Concat(s.Listeners, s.Advertised) {
		if l.Controller {
			return l
		}
	}
	return Listener{}
}
