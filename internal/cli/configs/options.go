package configs

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const about = "This tool shows and changes configurations and quotas."

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

func parser() *jopt.Parser {
	p := &jopt.Parser{Options: []jopt.Option{
		jopt.BootstrapOption("The brokers to connect to."),
		{Name: "bootstrap-controller", Arg: jopt.RequiredArg, Type: "String", What: "controller to connect to", Help: "The controllers to connect to."},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "command config property file", Help: "Properties file with settings for the admin client."},
		{Name: "alter", Help: "Change the configurations of an entity."},
		{Name: "describe", Help: "Show the configurations of an entity, or of all entities of a type."},
		{Name: "all", Help: "With --describe, also show static and default values."},
		{Name: "entity-type", Arg: jopt.RequiredArg, Type: "String", Help: "Type of the entity: topics, clients, users, brokers, broker-loggers, ips, client-metrics, groups."},
		{Name: "entity-name", Arg: jopt.RequiredArg, Type: "String", Help: "Name of the entity; for a broker its ID."},
		{Name: "entity-default", Help: "Use the defaults of the entity type: clients, users, brokers or ips."},
		{Name: "add-config", Arg: jopt.RequiredArg, Type: "String", Help: "Configurations to set: k1=v1,k2=[v1,v2],k3=v3. Put values that contain commas in brackets."},
		{Name: "add-config-file", Arg: jopt.RequiredArg, Type: "String", Help: "Properties file with configurations to set."},
		{Name: "delete-config", Arg: jopt.RequiredArg, Type: "String", Help: "Names of configurations to remove: k1,k2."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
	for _, f := range entityFlags {
		p.Options = append(p.Options, jopt.Option{Name: f.flag, Arg: jopt.RequiredArg, Type: "String", Help: "Short for --entity-type " + f.entity + " --entity-name."})
		if f.defaults != "" {
			p.Options = append(p.Options, jopt.Option{Name: f.defaults, Help: "Short for --entity-type " + f.entity + " --entity-default."})
		}
	}
	return p
}

// entity is what is configured. A nil name means all entities of the type; an empty name means their default.
type entity struct {
	typ  string
	name *string
}

// single returns the entity type in the singular, for results.
func (e entity) single() string { return strings.TrimSuffix(e.typ, "s") }

func (e entity) isDefault() bool { return e.name != nil && *e.name == "" }

// entities returns the entities that the options name, or an error for options that exclude each other.
func entities(set *jopt.Set) ([]entity, error) {
	var list []entity
	for _, t := range set.All("entity-type") {
		list = append(list, entity{typ: t})
	}
	long := len(list)
	for _, f := range entityFlags {
		for _, name := range set.All(f.flag) {
			list = append(list, entity{f.entity, new(name)})
		}
		if f.defaults != "" && set.Has(f.defaults) {
			list = append(list, entity{f.entity, new("")})
		}
	}
	if err := checkEntityTypes(list); err != nil {
		return nil, err
	}
	if len(list) > long && (set.Has("entity-type") || set.Has("entity-name") || set.Has("entity-default")) {
		return nil, exception.New(exception.IllegalArgument, "--entity-{type,name,default} should not be used in conjunction with specific entity flags")
	}
	names := set.All("entity-name")
	for i := range long {
		switch {
		case i < len(names):
			list[i].name = new(names[i])
		case set.Has("entity-default"):
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
		return exception.New(exception.IllegalArgument, "Duplicate entity type(s) specified: %s", strings.Join(repeated, ","))
	}
	known := []string{entityTopics, entityClients, entityUsers, entityBrokers, entityIPs, entityMetrics, entityGroups, entityLoggers}
	for _, t := range seen {
		if !slices.Contains(known, t) {
			return exception.New(exception.IllegalArgument, "Invalid entity type %s, the entity type must be one of %s with a --bootstrap-server or --bootstrap-controller argument", t, strings.Join(known, ", "))
		}
	}
	if len(seen) == 0 {
		return exception.New(exception.IllegalArgument, "At least one entity type must be specified")
	}
	if len(seen) > 1 && slices.ContainsFunc(seen, func(t string) bool { return t != entityUsers && t != entityClients }) {
		return exception.New(exception.IllegalArgument, "Only 'users' and 'clients' entity types may be specified together")
	}
	return nil
}

func check(set *jopt.Set) ([]entity, error) {
	if set.Count("alter", "describe") != 1 {
		return nil, jopt.BadUsage("Command must include exactly one action: --describe, --alter")
	}
	list, err := entities(set)
	if err != nil {
		return nil, err
	}
	switch {
	case !set.Has("bootstrap-server") && !set.Has("bootstrap-controller"):
		return nil, exception.New(exception.IllegalArgument, "Either --bootstrap-server or --bootstrap-controller must be specified.")
	case set.Has("bootstrap-server") && set.Has("bootstrap-controller"):
		return nil, exception.New(exception.IllegalArgument, "Only one of --bootstrap-server or --bootstrap-controller can be specified")
	}
	if err := checkEntityNames(list); err != nil {
		return nil, err
	}
	if set.Has("alter") {
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
				return exception.New(exception.IllegalArgument, "The entity name for %s must be a valid integer broker id, but it is: %s", e.typ, *e.name)
			}
		case entityIPs:
			if net.ParseIP(*e.name) == nil && !resolves(*e.name) {
				return exception.New(exception.IllegalArgument, "The entity name for ips must be a valid IP or resolvable host, but it is: %s", *e.name)
			}
		}
	}
	return nil
}

func checkAlter(set *jopt.Set, list []entity) error {
	switch first := list[0]; first.typ {
	case entityUsers, entityClients, entityBrokers, entityIPs:
		if slices.ContainsFunc(list, func(e entity) bool { return e.name == nil }) {
			return exception.New(exception.IllegalArgument, "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips")
		}
	default:
		if first.name == nil || *first.name == "" {
			return exception.New(exception.IllegalArgument, "An entity name must be specified with --alter of %s", first.typ)
		}
	}
	if set.Has("add-config") && set.Has("add-config-file") {
		return exception.New(exception.IllegalArgument, "Only one of --add-config or --add-config-file must be specified")
	}
	if set.Count("add-config", "add-config-file", "delete-config") == 0 {
		return exception.New(exception.IllegalArgument, "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter")
	}
	return nil
}

var configKey = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// configsToAdd reads --add-config or --add-config-file.
func configsToAdd(set *jopt.Set) (map[string]string, error) {
	file, err := set.Text("add-config-file", "")
	if err != nil {
		return nil, err
	}
	if file != "" {
		return tool.ReadProperties(file)
	}
	text, err := set.Text("add-config", "")
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, word := range outsideBrackets(text) {
		k, v, ok := strings.Cut(word, "=")
		if !ok {
			return nil, exception.New(exception.IllegalArgument, `requirement failed: Invalid entity config: all configs to be added must be in the format "key=val" or  "key=[val1,val2]" to group values which contain commas.`)
		}
		if k = strings.TrimSpace(k); !configKey.MatchString(k) {
			return nil, exception.New(exception.IllegalArgument, "Invalid character found for config key: %s", k)
		}
		values[k] = strings.TrimSpace(strings.NewReplacer("[", "", "]", "").Replace(v))
	}
	return values, nil
}

// outsideBrackets splits a text at the commas outside brackets.
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

func configsToDelete(set *jopt.Set) []string {
	var names []string
	for _, list := range set.All("delete-config") {
		for name := range strings.SplitSeq(list, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

func invalidConfigs(names []string) error {
	return exception.New(exception.CommonErrors+"InvalidConfigurationException", "%s", fmt.Sprintf("Invalid config(s): %s", strings.Join(names, ",")))
}
