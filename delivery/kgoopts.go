package delivery

import (
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// ownedByClient are the options of franz-go that a Client sets for all its
// clients, or that would take away what Send and the copies to retry and
// dead-letter topics promise.
var ownedByClient = []string{
	"SeedBrokers", "RecordPartitioner", "RackAwarePartitioning", "RequiredAcks", "DisableIdempotentWrite",
	"ManualFlushing", "TransactionalID", "DefaultProduceTopic", "DefaultProduceTopicAlways",
}

// ownedByListener are the options that a Listener sets for its clients, or
// that would hand it records it does not expect.
var ownedByListener = []string{
	"ConsumerGroup", "ConsumeTopics", "ConsumePartitions", "ConsumeRegex", "ConsumeExcludeTopics", "ShareGroup",
	"ConsumeStartOffset", "ConsumeResetOffset", "AdjustFetchOffsetsFn", "KeepControlRecords",
	"DisableAutoCommit", "AutoCommitMarks", "GreedyAutoCommit", "AutoCommitInterval", "AutoCommitCallback",
	"OnPartitionsAssigned", "OnPartitionsRevoked", "OnPartitionsLost", "BlockRebalanceOnPoll", "RebalanceTimeout", "InstanceID",
}

// insteadOf names what to use in place of some of the owned options.
var insteadOf = map[string]string{
	"ConsumeStartOffset":   "StartAt",
	"ConsumeResetOffset":   "StartAt",
	"InstanceID":           "the option InstanceID of this package",
	"OnPartitionsAssigned": "OnEvent",
	"OnPartitionsRevoked":  "OnEvent",
	"OnPartitionsLost":     "OnEvent",
	"RecordPartitioner":    "the send option Partition",
}

// refusedOpts are the problems of options that would replace what the library
// owns. An option of franz-go is a closure; it is recognised by the name of the
// function that made it. An option that is not recognised does no harm: owned
// options are applied last and win.
func refusedOpts(via string, opts []kgo.Opt, owned ...string) []string {
	var problems []string
	for _, o := range opts {
		name := optName(o)
		if !slices.Contains(owned, name) {
			continue
		}
		problem := via + ": kgo." + name + " is set by the library"
		if other, ok := insteadOf[name]; ok {
			problem += ", use " + other
		}
		problems = append(problems, problem)
	}
	return problems
}

// optName is the name of the function of franz-go that made the option: the
// last part of the name of the option's closure, before the part the compiler
// adds.
func optName(o kgo.Opt) string {
	v := reflect.ValueOf(o)
	if v.Kind() != reflect.Struct || v.NumField() != 1 || v.Field(0).Kind() != reflect.Func {
		return ""
	}
	f := runtime.FuncForPC(v.Field(0).Pointer())
	if f == nil {
		return ""
	}
	parts := strings.Split(f.Name(), ".")
	for _, p := range slices.Backward(parts) {
		if p != "" && 'A' <= p[0] && p[0] <= 'Z' {
			return p
		}
	}
	return ""
}
