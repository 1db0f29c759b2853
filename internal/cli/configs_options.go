package cli

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const aboutConfigs = "This tool shows and changes configurations and quotas."

// The entity types of kafka-configs.
const (
	entityTopics  = "topics"
	entityClients = "clients"
	entityUsers   = "users"
	entityBrokers = "brokers"
	entityIPs     = "ips"
	entityMetrics = "client-metrics"
	entityGroups  = "groups"
	entityLoggers = "broker-loggers"
)

// entityFlags are the short forms, in the order in which Kafka looks at them.
var entityFlags = []struct{ flag, defaults, entity string }{
	{"topic", "", entityTopics},
	{"client", "client-defaults", entityClients},
	{"user", "user-defaults", entityUsers},
	{"broker", "broker-defaults", entityBrokers},
	{"broker-logger", "", entityLoggers},
	{"ip", "ip-defaults", entityIPs},
	{"client-metrics", "", entityMetrics},
	{"group", "", entityGroups},
}

func configsParser() *optParser {
	p := &optParser{options: []option{
		bootstrapOption("Brokers to begin with."),
		{name: "bootstrap-controller", arg: requiredArg, typ: "String", what: "controller to connect to", help: "Controllers to begin with."},
		{name: "command-config", arg: requiredArg, typ: "String", what: "command config property file", help: "Properties file with settings of the admin client."},
		{name: "alter", help: "Change configurations of the entity."},
		{name: "describe", help: "Show configurations of the entity, or of all of its type."},
		{name: "all", help: "With --describe, show static and default values too."},
		{name: "entity-type", arg: requiredArg, typ: "String", help: "What is configured: topics, clients, users, brokers, broker-loggers, ips, client-metrics, groups."},
		{name: "entity-name", arg: requiredArg, typ: "String", help: "Name of the entity, or broker id."},
		{name: "entity-default", help: "The default for all of the type: clients, users, brokers, ips."},
		{name: "add-config", arg: requiredArg, typ: "String", help: "Values to set: k1=v1,k2=[v1,v2],k3=v3. Brackets keep commas."},
		{name: "add-config-file", arg: requiredArg, typ: "String", help: "Properties file with values to set."},
		{name: "delete-config", arg: requiredArg, typ: "String", help: "Names of values to remove: k1,k2."},
		helpOption(),
		versionOption(),
	}}
	for _, f := range entityFlags {
		p.options = append(p.options, option{name: f.flag, arg: requiredArg, typ: "String", help: "Short for --entity-type " + f.entity + " --entity-name."})
		if f.defaults != "" {
			p.options = append(p.options, option{name: f.defaults, help: "Short for --entity-type " + f.entity + " --entity-default."})
		}
	}
	return p
}

// entity is what is configured. A nil name is all of the type, an empty one the default.
type entity struct {
	typ  string
	name *string
}

// single names one entity of the type in results.
func (e entity) single() string { return strings.TrimSuffix(e.typ, "s") }

func (e entity) isDefault() bool { return e.name != nil && *e.name == "" }

// entities reads which entities are meant and refuses what does not go together.
func entities(set *optSet) ([]entity, error) {
	var list []entity
	for _, t := range set.all("entity-type") {
		list = append(list, entity{typ: t})
	}
	long := len(list)
	for _, f := range entityFlags {
		for _, name := range set.all(f.flag) {
			list = append(list, entity{f.entity, new(name)})
		}
		if f.defaults != "" && set.has(f.defaults) {
			list = append(list, entity{f.entity, new("")})
		}
	}
	if err := checkEntityTypes(list); err != nil {
		return nil, err
	}
	if len(list) > long && (set.has("entity-type") || set.has("entity-name") || set.has("entity-default")) {
		return nil, throw(classArgument, "--entity-{type,name,default} should not be used in conjunction with specific entity flags")
	}
	names := set.all("entity-name")
	for i := range long {
		switch {
		case i < len(names):
			list[i].name = new(names[i])
		case set.has("entity-default"):
			list[i].name = new("")
		}
	}
	return list, nil
}

func checkEntityTypes(list []entity) error {
	var seen, repeated []string
	for _, e := range list {
		if slices.Contains(seen, e.typ) {
			repeated = append(repeated, e.typ)
		}
		seen = append(seen, e.typ)
	}
	if len(repeated) > 0 {
		return throw(classArgument, "Duplicate entity type(s) specified: %s", strings.Join(repeated, ","))
	}
	known := []string{entityTopics, entityClients, entityUsers, entityBrokers, entityIPs, entityMetrics, entityGroups, entityLoggers}
	for _, t := range seen {
		if !slices.Contains(known, t) {
			return throw(classArgument, "Invalid entity type %s, the entity type must be one of %s with a --bootstrap-server or --bootstrap-controller argument", t, strings.Join(known, ", "))
		}
	}
	if len(seen) == 0 {
		return throw(classArgument, "At least one entity type must be specified")
	}
	if len(seen) > 1 && slices.ContainsFunc(seen, func(t string) bool { return t != entityUsers && t != entityClients }) {
		return throw(classArgument, "Only 'users' and 'clients' entity types may be specified together")
	}
	return nil
}

func checkConfigs(set *optSet) ([]entity, error) {
	if set.count("alter", "describe") != 1 {
		return nil, usage("Command must include exactly one action: --describe, --alter")
	}
	list, err := entities(set)
	if err != nil {
		return nil, err
	}
	switch {
	case !set.has("bootstrap-server") && !set.has("bootstrap-controller"):
		return nil, throw(classArgument, "Either --bootstrap-server or --bootstrap-controller must be specified.")
	case set.has("bootstrap-server") && set.has("bootstrap-controller"):
		return nil, throw(classArgument, "Only one of --bootstrap-server or --bootstrap-controller can be specified")
	}
	if err := checkEntityNames(list); err != nil {
		return nil, err
	}
	if set.has("alter") {
		return list, checkAlter(set, list)
	}
	return list, nil
}

func checkEntityNames(list []entity) error {
	for _, e := range list {
		if e.name == nil || *e.name == "" {
			continue
		}
		switch e.typ {
		case entityBrokers, entityLoggers:
			if _, err := strconv.ParseInt(*e.name, 10, 32); err != nil {
				return throw(classArgument, "The entity name for %s must be a valid integer broker id, but it is: %s", e.typ, *e.name)
			}
		case entityIPs:
			if net.ParseIP(*e.name) == nil && !resolves(*e.name) {
				return throw(classArgument, "The entity name for ips must be a valid IP or resolvable host, but it is: %s", *e.name)
			}
		}
	}
	return nil
}

func checkAlter(set *optSet, list []entity) error {
	switch first := list[0]; first.typ {
	case entityUsers, entityClients, entityBrokers, entityIPs:
		if slices.ContainsFunc(list, func(e entity) bool { return e.name == nil }) {
			return throw(classArgument, "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips")
		}
	default:
		if first.name == nil || *first.name == "" {
			return throw(classArgument, "An entity name must be specified with --alter of %s", first.typ)
		}
	}
	if set.has("add-config") && set.has("add-config-file") {
		return throw(classArgument, "Only one of --add-config or --add-config-file must be specified")
	}
	if set.count("add-config", "add-config-file", "delete-config") == 0 {
		return throw(classArgument, "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter")
	}
	return nil
}

var configKey = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// configsToAdd reads --add-config or --add-config-file.
func configsToAdd(set *optSet) (map[string]string, error) {
	file, err := set.text("add-config-file", "")
	if err != nil {
		return nil, err
	}
	if file != "" {
		return readProperties(file)
	}
	text, err := set.text("add-config", "")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, word := range outsideBrackets(text) {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			return nil, throw(classArgument, `requirement failed: Invalid entity config: all configs to be added must be in the format "key=val" or  "key=[val1,val2]" to group values which contain commas.`)
		}
		if k = strings.TrimSpace(k); !configKey.MatchString(k) {
			return nil, throw(classArgument, "Invalid character found for config key: %s", k)
		}
		values[k] = strings.TrimSpace(strings.NewReplacer("[", "", "]", "").Replace(v))
	}
	return values, nil
}

// outsideBrackets cuts at the commas that no brackets hold.
func outsideBrackets(text string) []string {
	if text == "" {
		return nil
	}
	var words []string
	depth, start := 0, 0
	for i, c := range text {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth <= 0 {
				words = append(words, text[start:i])
				start = i + 1
			}
		}
	}
	return append(words, text[start:])
}

func configsToDelete(set *optSet) []string {
	var names []string
	for _, list := range set.all("delete-config") {
		for name := range strings.SplitSeq(list, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

func invalidConfigs(names []string) error {
	return throw(commonErrors+"InvalidConfigurationException", "%s", fmt.Sprintf("Invalid config(s): %s", strings.Join(names, ",")))
}
