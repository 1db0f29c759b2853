package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Protocol is the security protocol of a listener: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
type Protocol string

// The security protocols.
const (
	Plaintext     Protocol = "PLAINTEXT"
	SSL           Protocol = "SSL"
	SASLPlaintext Protocol = "SASL_PLAINTEXT"
	SASLSSL       Protocol = "SASL_SSL"
)

// TLS reports whether connections are encrypted.
func (p Protocol) TLS() bool { return p == SSL || p == SASLSSL }

// SASL reports whether clients log in with SASL.
func (p Protocol) SASL() bool { return p == SASLPlaintext || p == SASLSSL }

// Listener is one address of listeners or advertised.listeners. An empty Host means all interfaces in listeners, and
// this machine's name in advertised.listeners.
type Listener struct {
	Name       string
	Host       string
	Port       int
	Protocol   Protocol
	Controller bool
}

// String returns the listener as server.properties spells it.
func (l Listener) String() string {
	host := l.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return l.Name + "://" + host + ":" + strconv.Itoa(l.Port)
}

var listenerPattern = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// portMissing matches a listener without a port.
var portMissing = regexp.MustCompile(`^.*://([0-9a-zA-Z\-%._]*|\[[0-9a-zA-Z\-%._:]+\])$`)

// defaultPort returns the port that Kafka's own files use for such a listener.
func defaultPort(listener string, controllers []string) string {
	name, _, _ := strings.Cut(listener, "://")
	if slices.ContainsFunc(controllers, func(c string) bool { return strings.EqualFold(c, name) }) {
		return ":9093"
	}
	return ":9092"
}

// parseListeners parses a list of listeners. Its errors have Kafka's texts.
func parseListeners(list []string, protocols map[string]Protocol, controllers []string) ([]Listener, error) {
	inList := "[" + strings.Join(list, ", ") + "]"
	var listeners []Listener
	for _, s := range list {
		m := listenerPattern.FindStringSubmatch(s)
		if m == nil {
			refused := &Error{Text: "Error creating broker listeners from '" + inList + "': Unable to parse " + s + " to a broker endpoint", Class: ClassArgument}
			if portMissing.MatchString(s) {
				refused.Advice = "The port is missing: write " + s + defaultPort(s, controllers)
			}
			return nil, refused
		}
		name := strings.ToUpper(m[1])
		protocol, ok := protocols[name]
		if !ok {
			return nil, &Error{Text: "Error creating broker listeners from '" + inList + "': No security protocol defined for listener " + name, Class: ClassArgument}
		}
		port, err := strconv.Atoi(m[3])
		if err != nil || port > 65535 || port < -1 {
			return nil, &Error{Text: "Error creating broker listeners from '" + inList + "': port " + m[3] + " is out of range", Class: ClassArgument}
		}
		listeners = append(listeners, Listener{
			Name: name, Host: m[2], Port: port, Protocol: protocol,
			Controller: slices.ContainsFunc(controllers, func(c string) bool { return strings.EqualFold(c, name) }),
		})
	}
	return listeners, distinct(listeners, inList)
}

func distinct(listeners []Listener, inList string) error {
	names, ports := map[string]bool{}, map[int]bool{}
	for _, l := range listeners {
		if err := demand(!names[l.Name], "Each listener must have a different name, listeners: %s", inList); err != nil {
			return err
		}
		names[l.Name] = true
	}
	for _, l := range listeners {
		if err := demand(l.Port == 0 || !ports[l.Port], "Each listener must have a different port, listeners: %s", inList); err != nil {
			return err
		}
		ports[l.Port] = true
	}
	return nil
}

// parseProtocolMap parses listener.security.protocol.map. If it was not set, controller listeners that it does not name
// are plaintext, as in Kafka.
func parseProtocolMap(value string, wasSet bool, controllers []string) (map[string]Protocol, error) {
	const name = "listener.security.protocol.map"
	protocols := map[string]Protocol{}
	for _, pair := range splitList(value) {
		i := strings.LastIndexByte(pair, ':')
		if i < 0 {
			return nil, &Error{Text: "Error parsing configuration property '" + name + "': " + pair + " is not name:protocol", Class: ClassArgument}
		}
		p := Protocol(strings.ToUpper(strings.TrimSpace(pair[i+1:])))
		if !slices.Contains([]Protocol{Plaintext, SSL, SASLPlaintext, SASLSSL}, p) {
			return nil, refuse("Invalid security protocol `%s` defined in %s", strings.TrimSpace(pair[i+1:]), name)
		}
		protocols[strings.ToUpper(strings.TrimSpace(pair[:i]))] = p
	}
	for _, c := range controllers {
		if _, ok := protocols[c]; !ok && !wasSet {
			protocols[c] = Plaintext
		}
	}
	return protocols, nil
}

// base drops the prefix listener.name.<listener>. and, for SASL settings, the mechanism behind it.
func base(name string) string {
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return name
	}
	if _, after, ok := strings.Cut(rest, "."); ok {
		rest = after
	}
	for _, k := range []string{"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class", "sasl.server.callback.handler.class", "connections.max.reauth.ms"} {
		if strings.HasSuffix(rest, "."+k) {
			return k
		}
	}
	return rest
}
