package api

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/config"
	"github.com/botehq/bote/internal/topic"
	"github.com/botehq/bote/internal/wire"
)

// AlterConfigs, key 33, versions 0-2, replaces all configs of a resource.
// IncrementalAlterConfigs, key 44, versions 0-1 (KIP-339), changes single ones.
// Both change all of the configs that a request names for a resource, or none.

// change is one config to be changed.
type change struct {
	name  string
	op    kmsg.IncrementalAlterConfigOp
	value *string
}

// resource is something that has configs, such as a topic.
type resource struct {
	kind kmsg.ConfigResourceType
	name string
}

func (b *Broker) incrementalAlterConfigs(r *wire.Request, q *kmsg.IncrementalAlterConfigsRequest) {
	resp := kmsg.NewPtrIncrementalAlterConfigsResponse()
	count := map[resource]int{}
	for i := range q.Resources {
		count[resource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	for i := range q.Resources {
		qr := &q.Resources[i]
		res := resource{qr.ResourceType, qr.ResourceName}
		var changes []change
		for _, c := range qr.Configs {
			changes = append(changes, change{c.Name, c.Op, c.Value})
		}
		err := b.alter(r.Conn.Context(), res, changes, count[res] > 1, false, q.ValidateOnly)
		rr := kmsg.NewIncrementalAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName, rr.ErrorCode, rr.ErrorMessage = res.kind, res.name, b.code(r, err), message(err)
		resp.Resources = append(resp.Resources, rr)
	}
	r.Reply(resp)
}

func (b *Broker) alterConfigs(r *wire.Request, q *kmsg.AlterConfigsRequest) {
	resp := kmsg.NewPtrAlterConfigsResponse()
	count := map[resource]int{}
	for i := range q.Resources {
		count[resource{q.Resources[i].ResourceType, q.Resources[i].ResourceName}]++
	}
	for i := range q.Resources {
		qr := &q.Resources[i]
		res := resource{qr.ResourceType, qr.ResourceName}
		var changes []change
		for _, c := range qr.Configs {
			changes = append(changes, change{c.Name, kmsg.IncrementalAlterConfigOpSet, c.Value})
		}
		err := b.alter(r.Conn.Context(), res, changes, count[res] > 1, true, q.ValidateOnly)
		rr := kmsg.NewAlterConfigsResponseResource()
		rr.ResourceType, rr.ResourceName, rr.ErrorCode, rr.ErrorMessage = res.kind, res.name, b.code(r, err), message(err)
		resp.Resources = append(resp.Resources, rr)
	}
	r.Reply(resp)
}

// alteration is a change of one resource's configs; replace drops those that it does
// not name.
type alteration struct {
	kind    config.Kind
	changes []change
	replace bool

	changed map[string]string // set by apply: the configs that were not set before, or had another value
}

// apply edits a resource's configs. It may be called more than once.
func (a *alteration) apply(effective func(string) string, set map[string]string) error {
	before := maps.Clone(set)
	if a.replace {
		clear(set)
	}
	for _, c := range a.changes {
		if err := applyChange(a.kind, c, effective, set); err != nil {
			return err
		}
	}
	a.changed = maps.Clone(set)
	maps.DeleteFunc(a.changed, func(name, value string) bool {
		was, ok := before[name]
		return ok && was == value
	})
	return nil
}

// alter changes the configs of one resource, and logs which of them have no effect.
func (b *Broker) alter(ctx context.Context, res resource, changes []change, twice, replace, validateOnly bool) error {
	if twice {
		return invalid("Each resource must appear at most once.")
	}
	if err := checkChanges(changes); err != nil {
		return err
	}
	a := &alteration{kind: config.TopicKind, changes: changes, replace: replace}
	if err := b.alterResource(ctx, res, a, validateOnly); err != nil || validateOnly {
		return err
	}
	var of []any
	if res.name != "" {
		of = append(of, slog.String(a.kind.String(), res.name))
	}
	config.Remark(b.log, a.kind, a.changed, of...)
	return nil
}

func (b *Broker) alterResource(ctx context.Context, res resource, a *alteration, validateOnly bool) error {
	switch res.kind {
	case kmsg.ConfigResourceTypeTopic:
		return b.alterTopic(ctx, res.name, a, validateOnly)
	case kmsg.ConfigResourceTypeBroker:
		a.kind = config.BrokerKind
		cluster, err := b.brokerResource(res.name)
		if err != nil {
			return err
		}
		if err := checkDynamic(a.changes, cluster); err != nil {
			return err
		}
		return b.Catalog.AlterBroker(ctx, cluster, a.apply, validateOnly)
	case kmsg.ConfigResourceTypeGroupConfig:
		a.kind = config.GroupKind
		if err := checkOperations(a.kind, a.changes); err != nil {
			return err
		}
		if res.name == "" {
			return invalid("Default group resources are not allowed.")
		}
		return b.Catalog.AlterGroup(ctx, res.name, func(effective func(string) string, set map[string]string) error {
			if err := a.apply(effective, set); err != nil {
				return err
			}
			return b.checkGroupBounds(set)
		}, validateOnly)
	case kmsg.ConfigResourceTypeUnknown, kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics:
	}
	return invalid("Unsupported resource type: " + itoa(int64(res.kind)))
}

// alterTopic checks the operations, the name and the values before it looks up the
// topic, as Kafka's controller does.
func (b *Broker) alterTopic(ctx context.Context, name string, a *alteration, validateOnly bool) error {
	if err := checkOperations(config.TopicKind, a.changes); err != nil {
		return err
	}
	if name == "" {
		return invalid("Default topic resources are not allowed.")
	}
	if err := topic.Validate(name); err != nil {
		return &catalog.RefusedError{Code: kerr.InvalidTopicException, Message: err.Error()}
	}
	snapshot := b.Catalog.Snapshot()
	if snapshot.Topic(name) == nil {
		if err := a.apply(snapshot.Layers(nil).TopicValue, map[string]string{}); err != nil {
			return err
		}
		return &catalog.RefusedError{Code: kerr.UnknownTopicOrPartition, Message: "The topic '" + name + "' does not exist."}
	}
	return b.Catalog.AlterTopic(ctx, name, a.apply, validateOnly)
}

// checkOperations refuses unknown operations, and operations that do not fit the key.
func checkOperations(kind config.Kind, changes []change) error {
	for _, c := range changes {
		switch c.op {
		case kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete:
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			if key, ok := config.Lookup(kind, c.name); !ok || key.Type != config.List {
				return notAList(c)
			}
		default:
			return errors.New("unknown config operation")
		}
	}
	return nil
}

func notAList(c change) error {
	return &catalog.RefusedError{Code: kerr.InvalidConfig, Message: "Can't " + strings.ToUpper(opName(c.op)) + " to key " + c.name + " because its type is not LIST."}
}

func invalid(text string) error {
	return &catalog.RefusedError{Code: kerr.InvalidRequest, Message: text}
}

func checkChanges(changes []change) error {
	seen := map[string]bool{}
	var null []string
	for _, c := range changes {
		if seen[c.name] {
			return invalid("Error due to duplicate config keys")
		}
		seen[c.name] = true
		if c.value == nil && c.op != kmsg.IncrementalAlterConfigOpDelete {
			null = append(null, c.name)
		}
	}
	if len(null) > 0 {
		return invalid("Null value not supported for : " + strings.Join(null, ","))
	}
	return nil
}

// checkDynamic refuses broker configs that cannot change while the broker runs.
func checkDynamic(changes []change, cluster bool) error {
	var fixed []string
	for _, c := range changes {
		if c.op == kmsg.IncrementalAlterConfigOpDelete {
			continue // a config that is not set may be deleted
		}
		k, ok := config.Lookup(config.BrokerKind, c.name)
		if ok && k.Unserved() {
			return invalid("bote does not serve changes of " + c.name + " while it runs.")
		}
		if ok && k.Update == config.ReadOnly {
			fixed = append(fixed, c.name)
		}
		if ok && cluster && k.Update == config.PerBroker {
			return invalid("Cannot update these configs dynamically: Set(" + c.name + ")")
		}
	}
	if len(fixed) > 0 {
		return invalid("Cannot update these configs dynamically: Set(" + strings.Join(fixed, ", ") + ")")
	}
	return nil
}

func applyChange(kind config.Kind, c change, effective func(string) string, set map[string]string) error {
	if c.op == kmsg.IncrementalAlterConfigOpDelete {
		delete(set, c.name) // any name may be deleted: an unknown one is not set
		return nil
	}
	key, ok := config.Lookup(kind, c.name)
	if !ok && kind != config.BrokerKind {
		return &catalog.RefusedError{Code: kerr.InvalidConfig, Message: config.UnknownName(kind, c.name).Error()}
	}
	value := ""
	if c.value != nil {
		value = *c.value
	}
	switch c.op {
	case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
		if !ok || key.Type != config.List {
			return notAList(c)
		}
		value = editList(effective(c.name), value, c.op == kmsg.IncrementalAlterConfigOpAppend)
	case kmsg.IncrementalAlterConfigOpSet:
	default:
		return errors.New("unknown config operation")
	}
	if ok {
		if err := key.Validate(value); err != nil {
			return &catalog.RefusedError{Code: kerr.InvalidConfig, Message: err.Error()}
		}
	}
	set[c.name] = value
	return nil
}

// checkGroupBounds refuses group configs outside the bounds that the broker's configs
// set.
func (b *Broker) checkGroupBounds(set map[string]string) error {
	layers := b.Catalog.Snapshot().Layers(nil)
	for name, text := range set {
		family, rest, _ := strings.Cut(name, ".")
		value, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue // not a number, so it has no bounds
		}
		low, high := "group."+family+".min."+rest, "group."+family+".max."+rest
		if bound, ok := layers.BrokerValue(low); ok && value < number(bound) {
			return &catalog.RefusedError{Code: kerr.InvalidConfig, Message: name + " must be greater than or equal to " + low}
		}
		if bound, ok := layers.BrokerValue(high); ok && value > number(bound) {
			return &catalog.RefusedError{Code: kerr.InvalidConfig, Message: name + " must be less than or equal to " + high}
		}
	}
	return nil
}

// number parses a value that has been validated.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func opName(op kmsg.IncrementalAlterConfigOp) string {
	if op == kmsg.IncrementalAlterConfigOpAppend {
		return "append"
	}
	return "subtract"
}

// editList adds items that are missing, or removes items that are there.
func editList(list, items string, add bool) string {
	split := func(s string) []string {
		return slices.DeleteFunc(strings.Split(s, ","), func(item string) bool { return item == "" })
	}
	out, named := split(list), split(items)
	for i, item := range named {
		named[i] = strings.TrimSpace(item)
	}
	if add {
		return strings.Join(distinct(append(out, named...)), ",")
	}
	gone := make(map[string]bool, len(named))
	for _, item := range named {
		gone[item] = true
	}
	return strings.Join(slices.DeleteFunc(out, func(item string) bool { return gone[item] }), ",")
}
