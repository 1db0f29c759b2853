package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Complete fills in settings that Kafka requires, or has other defaults for, so that users of bote need not give them:
// the broker is one node with ID 1 and its own controller, on port 9092. Settings that have a value keep it. If no
// setting about roles and controllers has a value, listeners is read as the clients' listeners, and the controllers'
// listener is added.
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

// privateController is a controllers' listener that only this machine can reach, because the broker is the only
// controller.
const privateController = "CONTROLLER://127.0.0.1:0"

// addController adds the controllers' listener and its protocol to listeners and listener.security.protocol.map, where
// they are missing.
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

// ListenAt serves clients on one address only: it replaces listeners and removes advertised.listeners.
func ListenAt(values map[string]string, address string) {
	values["listeners"] = "PLAINTEXT://" + address + "," + privateController
	delete(values, "advertised.listeners")
}

// controllerPort returns the port of the controllers' listener, or 9093, Kafka's usual port, if there is no such
// listener or its port is 0.
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
