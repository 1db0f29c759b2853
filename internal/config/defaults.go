package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Complete adds to the settings of server.properties what Kafka requires or has otherwise, and bote does not ask for: it is
// one node with an ID of 1, its own controller, on port 9092. What is set stays. Where nothing is said about roles and
// controllers, listeners are those for clients, and the controllers' one is added.
func Complete(values map[string]string) {
	silent := !slices.ContainsFunc([]string{"process.roles", "controller.listener.names", "controller.quorum.voters", "controller.quorum.bootstrap.servers"},
		func(name string) bool { return values[name] != "" })
	if values["process.roles"] == "" {
		setDefault(values, "group.initial.rebalance.delay.ms", "0")
	}
	if values[brokerID] == "" {
		setDefault(values, nodeID, "1")
	}
	setDefault(values, "process.roles", "broker,controller")
	setDefault(values, "controller.listener.names", "CONTROLLER")
	setDefault(values, "listeners", "PLAINTEXT://:9092,"+privateController)
	if silent {
		addController(values)
	}
	if values["controller.quorum.bootstrap.servers"] == "" {
		setDefault(values, "controller.quorum.voters", cmp.Or(values[nodeID], values[brokerID])+"@localhost:"+strconv.Itoa(controllerPort(values)))
	}
}

// privateController is a listener for controllers on this machine, of which there is none but the broker itself.
const privateController = "CONTROLLER://127.0.0.1:0"

// addController adds the controllers' listener, and its protocol, where listeners and listener.security.protocol.map have none.
func addController(values map[string]string) {
	const name, protocols = "CONTROLLER", "listener.security.protocol.map"
	hasIt := func(list []string) bool {
		return slices.ContainsFunc(list, func(item string) bool {
			before, _, _ := strings.Cut(item, ":")
			return strings.EqualFold(strings.TrimSpace(before), name)
		})
	}
	if list := splitList(values["listeners"]); !hasIt(list) {
		values["listeners"] = strings.Join(append(list, privateController), ",")
	}
	if list := splitList(values[protocols]); len(list) > 0 && !hasIt(list) {
		values[protocols] = strings.Join(append(list, name+":PLAINTEXT"), ",")
	}
}

// ListenAt puts a broker on one address, in place of listeners.
func ListenAt(values map[string]string, address string) {
	values["listeners"] = "PLAINTEXT://" + address + "," + privateController
	delete(values, "advertised.listeners")
}

// controllerPort is the port of the controllers' listener, Kafka's usual one if it has none yet.
func controllerPort(values map[string]string) int {
	s := settings{Layers{Static: values}}
	controllers := s.upperList("controller.listener.names")
	for _, text := range s.list("listeners") {
		for _, name := range controllers {
			if m := listenerPattern.FindStringSubmatch(text); m != nil && strings.EqualFold(m[1], name) {
				return cmp.Or(int(parseLong(m[3])), 9093)
			}
		}
	}
	return 9093
}

func setDefault(values map[string]string, name, value string) {
	if values[name] == "" {
		values[name] = value
	}
}
