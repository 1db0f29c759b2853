package cli

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
)

func resolves(host string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	return err == nil && len(addresses) > 0
}

func runConfigs(ctx context.Context, s *streams, args []string) int {
	p := configsParser()
	p.options = append(p.options, option{name: "force", help: "Ask nothing."})
	set, err := p.parse(args)
	p.options = p.options[:len(p.options)-1] // accepted, not shown
	if err != nil {
		s.complain(err, "%s%s\n", err, causes(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, aboutConfigs); done {
		return code
	}
	list, err := checkConfigs(set)
	if err == nil {
		err = configs(ctx, s, set, list)
	}
	x, ok := errors.AsType[*exception](err)
	if ok && x.class != classArgument && x.class != commonErrors+"InvalidConfigurationException" {
		s.complain(err, "Error while executing config command with args '%s'\n%s%s\n", strings.Join(args, " "), x.named(), causes(err))
		return exitError
	}
	return p.finish(s, err)
}

// configsCommand is one call of the tool.
type configsCommand struct {
	s    *streams
	set  *optSet
	conn *connection
}

func configs(ctx context.Context, s *streams, set *optSet, list []entity) error {
	r := &reader{set: set}
	servers, file := r.text("bootstrap-server", r.text("bootstrap-controller", "")), r.text("command-config", "")
	if r.err != nil {
		return r.err
	}
	settings, err := optionalProperties(file)
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.controller = set.has("bootstrap-controller")
	c := &configsCommand{s: s, set: set, conn: conn}
	quotas := list[0].typ == entityUsers || list[0].typ == entityClients || list[0].typ == entityIPs
	switch {
	case set.has("describe") && quotas:
		return c.describeQuotas(ctx, list)
	case set.has("describe"):
		return c.describe(ctx, list[0])
	case quotas:
		return c.alterQuotas(ctx, list)
	}
	return c.alter(ctx, list[0])
}

// resourceTypes are the numbers of entity types on the wire, and the source of what is set for the entity itself.
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

func (c *configsCommand) describe(ctx context.Context, e entity) error {
	if e.name != nil {
		missing, err := c.absent(ctx, e)
		if err != nil {
			return err
		}
		if missing {
			c.s.printf("The %s '%s' doesn't exist and doesn't have dynamic config.\n", e.single(), *e.name)
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

// absent reports whether there is no topic of the name.
func (c *configsCommand) absent(ctx context.Context, e entity) (bool, error) {
	if e.isDefault() || c.set.has("all") || c.conn.controller { // a controller knows itself
		return false, nil
	}
	names, err := c.names(ctx, e.typ)
	return err == nil && !slices.Contains(names, *e.name), err
}

// names returns all entities of a type; brokers end with the default.
func (c *configsCommand) names(ctx context.Context, typ string) ([]string, error) {
	switch typ {
	case entityTopics:
		topics, err := c.conn.topics(ctx, "listTopics")
		if err != nil {
			return nil, execution(err)
		}
		var names []string
		for _, t := range topics {
			names = append(names, t.name)
		}
		return names, nil
	case entityGroups, entityMetrics:
		return c.configured(ctx, typ)
	}
	nodes, err := c.conn.brokers(ctx)
	if err != nil {
		return nil, execution(err)
	}
	var names []string
	for _, n := range nodes {
		names = append(names, strconv.Itoa(int(n.id)))
	}
	if typ == entityBrokers {
		names = append(names, "")
	}
	return names, nil
}

// configured lists the groups or metrics subscriptions that have configurations, and for groups also those that exist.
func (c *configsCommand) configured(ctx context.Context, typ string) ([]string, error) {
	found := map[string]bool{}
	if typ == entityGroups {
		groups, err := c.conn.groups(ctx)
		if err != nil {
			return nil, execution(err)
		}
		for _, g := range groups {
			found[g.id] = true
		}
	}
	if err := c.conn.await(ctx, "listConfigResources"); err != nil {
		return nil, execution(err)
	}
	req := kmsg.NewPtrListConfigResourcesRequest()
	req.ResourceTypes = []int8{int8(resourceTypes[typ].typ)}
	ctx, cancel := c.conn.within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.conn.Client)
	if err != nil {
		return nil, execution(asException(err, "listConfigResources"))
	}
	for _, r := range resp.ConfigResources {
		if r.Type == int8(resourceTypes[typ].typ) {
			found[r.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func (c *configsCommand) describeOne(ctx context.Context, e entity) error {
	all := c.set.has("all")
	switch {
	case e.isDefault():
		c.s.printf("Default configs for %s in the cluster are:\n", e.typ)
	case all:
		c.s.printf("All configs for %s %s are:\n", e.single(), *e.name)
	default:
		c.s.printf("Dynamic configs for %s %s are:\n", e.single(), *e.name)
	}
	entries, err := c.entries(ctx, e, all)
	if err != nil {
		return err
	}
	for _, k := range entries {
		var synonyms []string
		for _, syn := range k.ConfigSynonyms {
			synonyms = append(synonyms, sourceName(syn.Source)+":"+syn.Name+"="+orNull(syn.Value))
		}
		c.s.printf("  %s=%s sensitive=%t synonyms={%s}\n", k.Name, orNull(k.Value), k.IsSensitive, strings.Join(synonyms, ", "))
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

// entries returns an entity's configurations in name order: all, or those set for it.
func (c *configsCommand) entries(ctx context.Context, e entity, all bool) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = resourceTypes[e.typ].typ, *e.name
	req.Resources = append(req.Resources, r)
	req.IncludeSynonyms = true
	resp, err := c.conn.ask(ctx, "describeConfigs", req)
	if err != nil {
		if isException(err, classKafka) && e.typ == entityBrokers {
			return nil, &exception{class: "java.util.concurrent.TimeoutException", cause: err}
		}
		return nil, execution(err)
	}
	source := resourceTypes[e.typ].source
	if e.typ == entityBrokers && e.isDefault() {
		source = kmsg.ConfigSourceDynamicDefaultBrokerConfig
	}
	var entries []kmsg.DescribeConfigsResponseResourceConfig
	for _, res := range resp.(*kmsg.DescribeConfigsResponse).Resources { //nolint:forcetypeassert // the request's own response
		if err := brokerError(res.ErrorCode, res.ErrorMessage); err != nil {
			return nil, execution(err)
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

func (c *configsCommand) alter(ctx context.Context, e entity) error {
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
	resp, err := c.conn.ask(ctx, "incrementalAlterConfigs", req)
	if err != nil {
		return execution(err)
	}
	for _, res := range resp.(*kmsg.IncrementalAlterConfigsResponse).Resources { //nolint:forcetypeassert // the request's own response
		if err := brokerError(res.ErrorCode, res.ErrorMessage); err != nil {
			return execution(err)
		}
	}
	c.completed(e)
	return nil
}

func (c *configsCommand) completed(e entity) {
	if e.isDefault() {
		c.s.printf("Completed updating default config for %s in the cluster.\n", e.typ)
		return
	}
	c.s.printf("Completed updating config for %s %s.\n", e.single(), *e.name)
}
