// Package configs owns kafka-configs: configurations of topics, brokers and groups, quotas, and SCRAM credentials.
package configs

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

func resolves(host string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	return err == nil && len(addresses) > 0
}

// Run is kafka-configs.
func Run(ctx context.Context, s *tool.Streams, args []string) int {
	p := parser()
	p.Options = append(p.Options, jopt.Option{Name: "force", Help: "Do not ask for confirmation."})
	set, err := p.Parse(args)
	p.Options = p.Options[:len(p.Options)-1] // --force is accepted but not in the table
	if err != nil {
		s.Complain(err, "%s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, about); done {
		return code
	}
	list, err := check(set)
	if err == nil {
		err = run(ctx, s, set, list)
	}
	x, ok := errors.AsType[*exception.Error](err)
	if ok && x.Class != exception.IllegalArgument && x.Class != exception.CommonErrors+"InvalidConfigurationException" {
		s.Complain(err, "Error while executing config command with args '%s'\n%s%s\n", strings.Join(args, " "), x.Named(), exception.Causes(err))
		return tool.ExitError
	}
	return p.Finish(s, err)
}

// command is one call of the tool.
type command struct {
	s    *tool.Streams
	set  *jopt.Set
	conn *client.Conn
}

func run(ctx context.Context, s *tool.Streams, set *jopt.Set, list []entity) error {
	r := &jopt.Reader{Set: set}
	servers, file := r.Text("bootstrap-server", r.Text("bootstrap-controller", "")), r.Text("command-config", "")
	if r.Err != nil {
		return r.Err
	}
	settings, err := tool.OptionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.Controller = set.Has("bootstrap-controller")
	c := &command{s: s, set: set, conn: conn}
	quotas := list[0].typ == entityUsers || list[0].typ == entityClients || list[0].typ == entityIPs
	switch {
	case set.Has("describe") && quotas:
		return c.describeQuotas(ctx, list)
	case set.Has("describe"):
		return c.describe(ctx, list[0])
	case quotas:
		return c.alterQuotas(ctx, list)
	}
	return c.alter(ctx, list[0])
}

// resourceTypes are the wire numbers of entity types, and the config source of a value that is set for the entity itself.
var resourceTypes = map[string]struct {
	typ    kmsg.ConfigResourceType
	source kmsg.ConfigSource
}{
	entityTopics:  {kmsg.ConfigResourceTypeTopic, kmsg.ConfigSourceDynamicTopicConfig},
	entityBrokers: {kmsg.ConfigResourceTypeBroker, kmsg.ConfigSourceDynamicBrokerConfig},
	entityLoggers: {kmsg.ConfigResourceTypeBrokerLogger, 0},
	entityMetrics: {kmsg.ConfigResourceTypeClientMetrics, kmsg.ConfigSourceClientMetricsConfig},
	entityGroups:  {kmsg.ConfigResourceTypeGroupConfig, kmsg.ConfigSourceGroupConfig},
}

func (c *command) describe(ctx context.Context, e entity) error {
	if e.name != nil {
		missing, err := c.absent(ctx, e)
		if err != nil {
			return err
		}
		if missing {
			c.s.Printf("The %s '%s' doesn't exist and doesn't have dynamic config.\n", e.single(), *e.name)
			return nil
		}
		return c.describeOne(ctx, e)
	}
	names, err := c.names(ctx, e.typ)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := c.describeOne(ctx, entity{e.typ, new(name)}); err != nil {
			return err
		}
	}
	return nil
}

// absent reports whether no entity of that name exists.
func (c *command) absent(ctx context.Context, e entity) (bool, error) {
	if e.isDefault() || c.set.Has("all") || c.conn.Controller { // a controller's own answer decides that
		return false, nil
	}
	names, err := c.names(ctx, e.typ)
	return err == nil && !slices.Contains(names, *e.name), err
}

// names returns the names of all entities of a type. For brokers the last one is empty: the default.
func (c *command) names(ctx context.Context, typ string) ([]string, error) {
	switch typ {
	case entityTopics:
		topics, err := c.conn.Topics(ctx, "listTopics")
		if err != nil {
			return nil, exception.InFuture(err)
		}
		var names []string
		for _, t := range topics {
			names = append(names, t.Name)
		}
		return names, nil
	case entityGroups, entityMetrics:
		return c.configured(ctx, typ)
	}
	nodes, err := c.conn.Brokers(ctx)
	if err != nil {
		return nil, exception.InFuture(err)
	}
	var names []string
	for _, n := range nodes {
		names = append(names, strconv.Itoa(int(n.ID)))
	}
	if typ == entityBrokers {
		names = append(names, "")
	}
	return names, nil
}

// configured returns the groups or metrics subscriptions that have configurations, and all groups that exist.
func (c *command) configured(ctx context.Context, typ string) ([]string, error) {
	found := map[string]bool{}
	if typ == entityGroups {
		groups, err := c.conn.Groups(ctx)
		if err != nil {
			return nil, exception.InFuture(err)
		}
		for _, g := range groups {
			found[g.ID] = true
		}
	}
	if err := c.conn.Await(ctx, "listConfigResources"); err != nil {
		return nil, exception.InFuture(err)
	}
	req := kmsg.NewPtrListConfigResourcesRequest()
	req.ResourceTypes = []int8{int8(resourceTypes[typ].typ)}
	ctx, cancel := c.conn.Within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return nil, exception.InFuture(exception.Of(err, "listConfigResources"))
	}
	for _, r := range resp.ConfigResources {
		if r.Type == int8(resourceTypes[typ].typ) {
			found[r.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func (c *command) describeOne(ctx context.Context, e entity) error {
	all := c.set.Has("all")
	switch {
	case e.isDefault():
		c.s.Printf("Default configs for %s in the cluster are:\n", e.typ)
	case all:
		c.s.Printf("All configs for %s %s are:\n", e.single(), *e.name)
	default:
		c.s.Printf("Dynamic configs for %s %s are:\n", e.single(), *e.name)
	}
	entries, err := c.entries(ctx, e, all)
	if err != nil {
		return err
	}
	for _, k := range entries {
		var synonyms []string
		for _, syn := range k.ConfigSynonyms {
			synonyms = append(synonyms, sourceName(syn.Source)+":"+syn.Name+"="+tool.OrNull(syn.Value))
		}
		c.s.Printf("  %s=%s sensitive=%t synonyms={%s}\n", k.Name, tool.OrNull(k.Value), k.IsSensitive, strings.Join(synonyms, ", "))
	}
	return nil
}

func sourceName(s kmsg.ConfigSource) string {
	names := map[kmsg.ConfigSource]string{
		kmsg.ConfigSourceDynamicTopicConfig:         "DYNAMIC_TOPIC_CONFIG",
		kmsg.ConfigSourceDynamicBrokerConfig:        "DYNAMIC_BROKER_CONFIG",
		kmsg.ConfigSourceDynamicDefaultBrokerConfig: "DYNAMIC_DEFAULT_BROKER_CONFIG",
		kmsg.ConfigSourceStaticBrokerConfig:         "STATIC_BROKER_CONFIG",
		kmsg.ConfigSourceDefaultConfig:              "DEFAULT_CONFIG",
		kmsg.ConfigSourceDynamicBrokerLoggerConfig:  "DYNAMIC_BROKER_LOGGER_CONFIG",
		kmsg.ConfigSourceClientMetricsConfig:        "DYNAMIC_CLIENT_METRICS_CONFIG",
		kmsg.ConfigSourceGroupConfig:                "DYNAMIC_GROUP_CONFIG",
	}
	if n, ok := names[s]; ok {
		return n
	}
	return "UNKNOWN"
}

// entries returns an entity's configurations in name order: all of them, or only those set for the entity itself.
func (c *command) entries(ctx context.Context, e entity, all bool) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = resourceTypes[e.typ].typ, *e.name
	req.Resources = append(req.Resources, r)
	req.IncludeSynonyms = true
	resp, err := c.conn.Ask(ctx, "describeConfigs", req)
	if err != nil {
		if exception.Is(err, exception.Kafka) && e.typ == entityBrokers {
			return nil, &exception.Error{Class: "java.util.concurrent.TimeoutException", Cause: err}
		}
		return nil, exception.InFuture(err)
	}
	source := resourceTypes[e.typ].source
	if e.typ == entityBrokers && e.isDefault() {
		source = kmsg.ConfigSourceDynamicDefaultBrokerConfig
	}
	var entries []kmsg.DescribeConfigsResponseResourceConfig
	for _, res := range resp.(*kmsg.DescribeConfigsResponse).Resources { //nolint:forcetypeassert // the request's own response
		if err := exception.FromBroker(res.ErrorCode, res.ErrorMessage); err != nil {
			return nil, exception.InFuture(err)
		}
		for _, k := range res.Configs {
			if all || source == 0 || k.Source == source {
				entries = append(entries, k)
			}
		}
	}
	slices.SortFunc(entries, func(a, b kmsg.DescribeConfigsResponseResourceConfig) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

func (c *command) alter(ctx context.Context, e entity) error {
	add, err := configsToAdd(c.set)
	if err != nil {
		return err
	}
	remove := configsToDelete(c.set)
	if len(remove) > 0 {
		entries, err := c.entries(ctx, e, false)
		if err != nil {
			return err
		}
		invalid := slices.DeleteFunc(slices.Clone(remove), func(name string) bool {
			return slices.ContainsFunc(entries, func(k kmsg.DescribeConfigsResponseResourceConfig) bool { return k.Name == name })
		})
		if len(invalid) > 0 {
			return invalidConfigs(invalid)
		}
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = resourceTypes[e.typ].typ, *e.name
	for _, name := range slices.Sorted(maps.Keys(add)) {
		k := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		k.Name, k.Op, k.Value = name, kmsg.IncrementalAlterConfigOpSet, new(add[name])
		r.Configs = append(r.Configs, k)
	}
	for _, name := range remove {
		k := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		k.Name, k.Op = name, kmsg.IncrementalAlterConfigOpDelete
		r.Configs = append(r.Configs, k)
	}
	req.Resources = append(req.Resources, r)
	resp, err := c.conn.Ask(ctx, "incrementalAlterConfigs", req)
	if err != nil {
		return exception.InFuture(err)
	}
	for _, res := range resp.(*kmsg.IncrementalAlterConfigsResponse).Resources { //nolint:forcetypeassert // the request's own response
		if err := exception.FromBroker(res.ErrorCode, res.ErrorMessage); err != nil {
			return exception.InFuture(err)
		}
	}
	c.completed(e)
	return nil
}

func (c *command) completed(e entity) {
	if e.isDefault() {
		c.s.Printf("Completed updating default config for %s in the cluster.\n", e.typ)
		return
	}
	c.s.Printf("Completed updating config for %s %s.\n", e.single(), *e.name)
}
