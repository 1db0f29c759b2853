package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/wire"
)

// api is one row of the table. Versions from min to max are advertised; those from
// accepts to max are served.
type api struct {
	key, min, max int16
	accepts       int16
	onController  bool // also served on controllers' listeners
	aside         bool // the handler may wait for a disk, so it does not run on the connection's reader
	serve         func(*Broker, *wire.Request)
	plans         []plan // by version, from accepts on
}

// serves makes a row whose handler takes the request's own type.
func serves[Q kmsg.Request](min, max int16, handle func(b *Broker, r *wire.Request, q Q)) api {
	var q Q
	return api{key: keyOf(q), min: min, max: max, accepts: min, serve: func(b *Broker, r *wire.Request) {
		handle(b, r, r.Body.(Q)) // wire decodes the type that belongs to the key
	}}
}

// keyOf works on nil pointers: Key does not look into the request.
func keyOf(q kmsg.Request) int16 { return q.Key() }

// from advertises the versions below accepts, but does not serve them. Old librdkafka
// turns off compression if Produce version 0 is missing.
func (a api) from(accepts int16) api {
	a.accepts = accepts
	return a
}

// both also serves an API on controllers' listeners, as Kafka's request schemas say
// ("listeners": ["broker", "controller"]).
func (a api) both() api {
	a.onController = true
	return a
}

// mayWait runs an API on a goroutine of its own instead of the connection's reader.
func (a api) mayWait() api {
	a.aside = true
	return a
}

// rows returns a row per API, by key.
func rows() []api {
	return []api{
		serves(0, 13, (*Broker).produce).from(3),
		serves(4, 18, (*Broker).fetch),
		serves(1, 11, (*Broker).listOffsets),
		serves(0, 13, (*Broker).metadata),
		serves(2, 9, (*Broker).offsetCommit),
		serves(1, 9, (*Broker).offsetFetch),
		serves(0, 6, (*Broker).findCoordinator),
		serves(0, 9, (*Broker).joinGroup),
		serves(0, 4, (*Broker).heartbeat),
		serves(0, 5, (*Broker).leaveGroup),
		serves(0, 5, (*Broker).syncGroup),
		serves(0, 6, (*Broker).describeGroups),
		serves(0, 5, (*Broker).listGroups),
		serves(0, 1, (*Broker).saslHandshake).both(),
		serves(0, 4, (*Broker).apiVersions).both(),
		serves(2, 7, (*Broker).createTopics).both().mayWait(),
		serves(1, 6, (*Broker).deleteTopics).both().mayWait(),
		serves(0, 2, (*Broker).deleteRecords).mayWait(),
		serves(0, 5, (*Broker).initProducerID).mayWait(),
		serves(2, 4, (*Broker).offsetForLeaderEpoch),
		serves(1, 4, (*Broker).describeConfigs).both(),
		serves(0, 2, (*Broker).alterConfigs).both().mayWait(),
		serves(1, 4, (*Broker).describeLogDirs).mayWait(),
		serves(0, 2, (*Broker).saslAuthenticate).both(),
		serves(0, 3, (*Broker).createPartitions).both().mayWait(),
		serves(0, 2, (*Broker).deleteGroups),
		serves(0, 1, (*Broker).incrementalAlterConfigs).both().mayWait(),
		serves(0, 0, (*Broker).listPartitionReassignments).both(),
		serves(0, 0, (*Broker).offsetDelete),
		serves(0, 2, (*Broker).describeCluster).both(),
		serves(0, 0, (*Broker).describeProducers).mayWait(),
		serves(0, 1, (*Broker).listConfigResources),
		serves(0, 0, (*Broker).describeTopicPartitions),
	}
}

// table finds a row by its key without a search.
type table struct {
	rows  []api
	byKey [128]*api
}

// newTable returns the table; topicIDs adds the versions of OffsetCommit and
// OffsetFetch that have only topic IDs.
func newTable(topicIDs bool) *table {
	t := &table{rows: rows()}
	layouts := shapes()
	for i := range t.rows {
		if key := t.rows[i].key; topicIDs && (key == 8 || key == 9) {
			t.rows[i].max = 10
		}
		t.byKey[t.rows[i].key] = &t.rows[i]
		t.rows[i].plan(layouts)
	}
	return t
}

// plan makes the plans of all versions. An API without a shape has no plans, so count
// refuses all of its requests.
func (a *api) plan(layouts map[int16]shape) {
	layout, ok := layouts[a.key]
	for version := a.accepts; ok && version <= a.max; version++ {
		a.plans = append(a.plans, layout.plan(version))
	}
}

// count returns the number of elements of a request that is not decoded yet.
func (a *api) count(version int16, body []byte, limit int) (int, error) {
	at := int(version) - int(a.accepts)
	if at < 0 || at >= len(a.plans) {
		return 0, errShape
	}
	return a.plans[at].count(body, limit)
}

// forController returns the part of the table that controllers' listeners serve.
func (t *table) forController() *table {
	part := &table{}
	for _, row := range t.rows {
		if row.onController {
			part.rows = append(part.rows, row)
		}
	}
	for i := range part.rows {
		part.byKey[part.rows[i].key] = &part.rows[i]
	}
	return part
}

// lookup returns the row of an API, or nil if it is not served.
func (t *table) lookup(key int16) *api {
	if key < 0 || int(key) >= len(t.byKey) {
		return nil
	}
	return t.byKey[key]
}
