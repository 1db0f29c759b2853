package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ParseServer reads the settings of server.properties as Kafka would. It refuses what Kafka refuses, with Kafka's texts
// (*Error). It returns a warning for each unknown name, sorted by name.
func ParseServer(values map[string]string) (Server, []Warning, error) {
	s := settings{Layers{Static: values}}
	var server Server
	if err := s.checkValues(); err != nil {
		return Server{}, nil, err
	}
	for _, step := range []func(*Server) error{s.checkNode, s.readListeners, s.checkLimits, s.checkQuorum, s.checkListeners} {
		if err := step(&server); err != nil {
			return Server{}, nil, err
		}
	}
	s.fill(&server)
	return server, warnings(values), nil
}

// checkValues validates all values that are set for names in the table. Like Kafka, it reports missing required values
// first.
func (s settings) checkValues() error {
	for _, k := range All(BrokerKind) {
		if _, ok := s.set(k.Name); !ok && k.Required {
			return refuse("Missing required configuration %q which has no default value.", k.Name)
		}
	}
	for _, k := range All(BrokerKind) {
		v, ok := s.set(k.Name)
		if !ok {
			continue
		}
		if err := k.Validate(v); err != nil {
			return err
		}
	}
	return nil
}

func (s settings) checkNode(server *Server) error {
	if s.Static[brokerID] != "" && s.Static[nodeID] != "" && parseLong(s.Static[brokerID]) != parseLong(s.Static[nodeID]) {
		return refuse("You must set `node.id` to the same value as `broker.id`.")
	}
	roles := s.list("process.roles")
	server.Broker, server.Controller = slices.Contains(roles, "broker"), slices.Contains(roles, "controller")
	return nil
}

// readListeners fills in the listeners, and which one brokers use between each other.
func (s settings) readListeners(server *Server) error {
	const protocolMap, interBroker, interProtocol = "listener.security.protocol.map", "inter.broker.listener.name", "security.inter.broker.protocol"
	controllers := s.upperList("controller.listener.names")
	protocols, err := parseProtocolMap(s.text(protocolMap), s.isSet(protocolMap), controllers)
	if err != nil {
		return err
	}
	if server.Listeners, err = parseListeners(s.list("listeners"), protocols, controllers); err != nil {
		return err
	}
	advertised := s.list("advertised.listeners")
	if !s.isSet("advertised.listeners") {
		for _, l := range server.Listeners {
			if !l.Controller || server.Controller {
				advertised = append(advertised, l.String())
			}
		}
	}
	if server.Advertised, err = parseListeners(advertised, protocols, controllers); err != nil {
		return err
	}
	server.InterBrokerListener = strings.ToUpper(s.text(interProtocol))
	if s.text(interBroker) == "" {
		return nil
	}
	if s.isSet(interProtocol) {
		return refuse("Only one of %s and %s should be set.", interBroker, interProtocol)
	}
	server.InterBrokerListener = strings.ToUpper(s.text(interBroker))
	if _, ok := protocols[server.InterBrokerListener]; !ok {
		return refuse("Listener with name %s defined in %s not found in %s.", server.InterBrokerListener, interBroker, protocolMap)
	}
	return nil
}

// checkQuorum checks that the roles and the quorum fit each other.
func (s settings) checkQuorum(server *Server) error {
	voters := s.list("controller.quorum.voters")
	if len(voters) == 0 && len(s.list("controller.quorum.bootstrap.servers")) == 0 {
		return refuse("If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap controllers or controller.quorum.voters must contain a parseable set of controllers.")
	}
	var ids []string
	included := false
	for _, v := range voters {
		id, err := parseVoter(v)
		if err != nil {
			return fmt.Errorf("read controller.quorum.voters: %w", err)
		}
		ids = append(ids, fmt.Sprint(id))
		included = included || int64(id) == s.int(nodeID)
	}
	set := "Set(" + strings.Join(ids, ", ") + ")"
	if len(voters) > 0 && server.Controller {
		return demand(included, "If process.roles contains the 'controller' role, the node id %d must be included in the set of voters controller.quorum.voters=%s", s.int(nodeID), set)
	}
	return demand(!included, "If process.roles contains just the 'broker' role, the node id %d must not be included in the set of voters controller.quorum.voters=%s", s.int(nodeID), set)
}

func (s settings) checkListeners(server *Server) error {
	if err := s.checkControllerListeners(server); err != nil {
		return err
	}
	if !server.Broker {
		return demand(!slices.ContainsFunc(server.Listeners, func(l Listener) bool { return !l.Controller }),
			"The listeners config must only contain KRaft controller listeners from controller.listener.names when process.roles=controller")
	}
	var names, advertised, clients []string
	for _, l := range server.Listeners {
		names = append(names, l.Name)
	}
	for _, l := range server.Advertised {
		advertised = append(advertised, l.Name)
		if !l.Controller {
			clients = append(clients, l.Name)
		}
	}
	if err := demand(len(clients) > 0, "There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?"); err != nil {
		return err
	}
	if err := demand(slices.Contains(clients, server.InterBrokerListener),
		"inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options based on currently configured listeners are %s", strings.Join(clients, ",")); err != nil {
		return err
	}
	missing := slices.ContainsFunc(advertised, func(a string) bool { return !slices.Contains(names, a) })
	if err := demand(!missing, "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found %s. The valid options based on the current configuration are %s",
		strings.Join(advertised, ","), strings.Join(names, ",")); err != nil {
		return err
	}
	meta := slices.ContainsFunc(server.Advertised, func(l Listener) bool { return l.Host == "0.0.0.0" })
	if err := demand(!meta, "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."); err != nil {
		return err
	}
	for _, name := range s.upperList("early.start.listeners") {
		if !slices.Contains(names, name) && !slices.Contains(s.upperList("controller.listener.names"), name) {
			return refuse("early.start.listeners contains listener %s, but this is not contained in listeners or controller.listener.names", name)
		}
	}
	return nil
}

func (s settings) checkControllerListeners(server *Server) error {
	controllers := s.upperList("controller.listener.names")
	own := 0
	for _, l := range server.Listeners {
		if l.Controller {
			own++
		}
	}
	if !server.Controller {
		return demand(own == 0, "controller.listener.names must not contain a value appearing in the 'listeners' configuration when running KRaft with just the broker role")
	}
	advertised := slices.ContainsFunc(server.Advertised, func(l Listener) bool { return l.Controller })
	err := demand(own > 0 || advertised, "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role")
	if err == nil {
		err = demand(own == len(controllers), "controller.listener.names must only contain values appearing in the 'listeners' configuration when running the KRaft controller role")
	}
	if refused, ok := errors.AsType[*Error](err); ok && own == 0 && len(controllers) > 0 {
		refused.Advice = fmt.Sprintf("Add the controllers' listener to listeners, as listeners=%s,%s://127.0.0.1:9093, or leave listeners alone and choose the address with --listen HOST:PORT.",
			strings.Join(s.list("listeners"), ","), controllers[0])
	}
	return err
}

// obsolete are internal settings and those of older releases. Old files still have them, so they get no warning.
var obsolete = []string{
	"inter.broker.protocol.version", "log.message.format.version", "log.message.timestamp.difference.max.ms", "log.message.downconversion.enable",
	"broker.id.generation.enable", "reserved.broker.max.id", "control.plane.listener.name", "delegation.token.master.key",
	"offsets.commit.required.acks", "group.share.enable", "unstable.api.versions.enable", "unstable.feature.versions.enable", "group.coordinator.new.enable",
}

func warnings(values map[string]string) []Warning {
	var list []Warning
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, ok := Lookup(BrokerKind, base(name)); ok || slices.Contains(obsolete, name) || foreign(name) {
			continue
		}
		list = append(list, Warning{Name: name, Nearest: nearest(name)})
	}
	return list
}

// foreign reports whether a name belongs to a plug-in or to a family of an older release, whose names are not in the
// table.
func foreign(name string) bool {
	return slices.ContainsFunc([]string{"zookeeper.", "rsm.config.", "rlmm.config.", "internal.", "config.providers.", "super.users", "allow.everyone.if.no.acl.found"},
		func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// nearest returns the known name with the fewest edits away from name, if they are at most a quarter of its length.
func nearest(name string) string {
	best, least := "", len(name)/4+1
	for _, k := range All(BrokerKind) {
		if d := distance(name, k.Name, least); d < least {
			best, least = k.Name, d
		}
	}
	return best
}

// distance returns the number of edits between two names. From limit on, the number may be inexact.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
