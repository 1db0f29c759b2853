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
	onController  bool  // also served on controllers' listeners
	aside         bool  // the handler may wait for a disk, so it does not run on the connection's reader
	topicIDs      int16 // the version that names topics by their IDs only, served if offsets.topic.ids.enable is set; 0 if there is none
	serve         func(*Broker, *wire.Request)
	layout        shape
	plans         []plan // by version, from accepts on
}

// serves makes a row whose handler takes the request's own type.
func serves[Q kmsg.Request](min, max int16, handle func(b *Broker, r *wire.Request, q Q), request shape) api {
	var q Q
	return api{key: keyOf(q), min: min, max: max, accepts: min, layout: request, serve: func(b *Broker, r *wire.Request) {
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

// withTopicIDs names the version that has only topic IDs.
func (a api) withTopicIDs(version int16) api {
	a.topicIDs = version
	return a
}

// mayWait runs an API on a goroutine of its own instead of the connection's reader.
func (a api) mayWait() api {
	a.aside = true
	return a
}

// configWeight is how many elements a resource of DescribeConfigs counts as, because
// the answer has some dozen configs for it: 25,000 resources are within the usual
// limit.
const configWeight = 20

// rows returns a row per API, by key: the versions, the handler, and the layout of the
// request. A field of a layout is given by its size; comments name those that vary.
func rows() []api {
	return []api{
		serves(0, 13, (*Broker).produce, layout(9,
			text().from(3), // transactional ID
			fix(2+4),       // acks, timeout
			array(text().to(12), fix(16).from(13), array(fix(4), blob())), // topics, partitions, records
		)).from(3),
		serves(4, 18, (*Broker).fetch, layout(12,
			fix(4).to(14), fix(4+4), fix(4).from(3), fix(1).from(4), fix(4+4).from(7), // replica, wait, min and max bytes, isolation, session
			array(text().to(12), fix(16).from(13), array( // topics, partitions
				fix(4), fix(4).from(9), fix(8), fix(4).from(12), fix(8).from(5), fix(4),
				inTag(0, bare(fix(16))), inTag(1, bare(fix(8))), // directory, high watermark
			)),
			array(text().to(12), fix(16).from(13), array(bare(fix(4)))).from(7), // forgotten
			text().from(11),                            // rack
			inTag(0, bare(text())), inTag(1, fix(4+8)), // cluster; replica and its epoch
		)),
		serves(1, 11, (*Broker).listOffsets, layout(6,
			fix(4), fix(1).from(2), array(text(), array(fix(4), fix(4).from(4), fix(8), fix(4).to(0))), fix(4).from(10),
		)),
		serves(0, 13, (*Broker).metadata, layout(9,
			arrayOrNull(fix(16).from(10), text()), fix(1).from(4), fix(1).from(8).to(10), fix(1).from(8),
		)),
		serves(2, 9, (*Broker).offsetCommit, layout(8,
			text(), fix(4).from(1), text().from(1), text().from(7), fix(8).from(2).to(4), // group, generation, member, instance, retention
			array(text().to(9), fix(16).from(10), array(fix(4+8), fix(8).from(1).to(1), fix(4).from(6), text())),
		)).withTopicIDs(10),
		serves(1, 9, (*Broker).offsetFetch, layout(6,
			text().to(7), arrayOrNull(text(), array(bare(fix(4)))).to(7), // group, topics
			array(text(), text().from(9), fix(4).from(9), arrayOrNull(text().to(9), fix(16).from(10), array(bare(fix(4))))).from(8), // groups
			fix(1).from(7),
		)).withTopicIDs(10),
		serves(0, 6, (*Broker).findCoordinator, layout(3, text().to(3), fix(1).from(1), array(bare(text())).from(4))),
		serves(0, 9, (*Broker).joinGroup, layout(6, text(), fix(4), fix(4).from(1), text(), text().from(5), text(), array(text(), blob()), text().from(8))),
		serves(0, 4, (*Broker).heartbeat, layout(4, text(), fix(4), text(), text().from(3))),
		serves(0, 5, (*Broker).leaveGroup, layout(4, text(), text().to(2), array(text(), text(), text().from(5)).from(3))),
		serves(0, 5, (*Broker).syncGroup, layout(4, text(), fix(4), text(), text().from(3), text().from(5), text().from(5), array(text(), blob()))),
		serves(0, 6, (*Broker).describeGroups, layout(5, array(bare(text())), fix(1).from(3))),
		serves(0, 5, (*Broker).listGroups, layout(3, array(bare(text())).from(4), array(bare(text())).from(5))),
		serves(0, 1, (*Broker).saslHandshake, layout(never, text())).both(),
		serves(0, 4, (*Broker).apiVersions, layout(3, text().from(3), text().from(3), text().from(5), fix(4).from(5))).both(),
		serves(2, 7, (*Broker).createTopics, layout(5, array(text(), fix(4+2), array(fix(4), array(bare(fix(4)))), array(text(), text())), fix(4), fix(1).from(1))).both().mayWait(),
		serves(1, 6, (*Broker).deleteTopics, layout(4, array(bare(text())).to(5), array(text(), fix(16)).from(6), fix(4))).both().mayWait(),
		serves(0, 2, (*Broker).deleteRecords, layout(2, array(text(), array(fix(4+8))), fix(4))).mayWait(),
		serves(0, 5, (*Broker).initProducerID, layout(2, text(), fix(4), fix(8+2).from(3))).mayWait(),
		serves(2, 4, (*Broker).offsetForLeaderEpoch, layout(4, fix(4).from(3), array(text(), array(fix(4), fix(4).from(2), fix(4))))),
		serves(1, 4, (*Broker).describeConfigs, layout(4, array(fix(1), text(), arrayOrNull(bare(text()))).each(configWeight), fix(1).from(1), fix(1).from(3))).both(),
		serves(0, 2, (*Broker).alterConfigs, layout(2, array(fix(1), text(), array(text(), text())), fix(1))).both().mayWait(),
		serves(1, 4, (*Broker).describeLogDirs, layout(2, arrayOrNull(text(), array(bare(fix(4)))))).mayWait(),
		serves(0, 2, (*Broker).saslAuthenticate, layout(2, blob())).both(),
		serves(0, 3, (*Broker).createPartitions, layout(2, array(text(), fix(4), arrayOrNull(array(bare(fix(4))))), fix(4), fix(1))).both().mayWait(),
		serves(0, 2, (*Broker).deleteGroups, layout(2, array(bare(text())))),
		serves(0, 1, (*Broker).incrementalAlterConfigs, layout(1, array(fix(1), text(), array(text(), fix(1), text())), fix(1))).both().mayWait(),
		serves(0, 0, (*Broker).listPartitionReassignments, layout(0, fix(4), arrayOrNull(text(), array(bare(fix(4)))))).both(),
		serves(0, 0, (*Broker).offsetDelete, layout(never, text(), array(text(), array(fix(4))))),
		serves(0, 2, (*Broker).describeCluster, layout(0, fix(1), fix(1).from(1), fix(1).from(2))).both(),
		serves(0, 0, (*Broker).describeProducers, layout(0, array(text(), array(bare(fix(4)))))).mayWait(),
		serves(0, 1, (*Broker).listConfigResources, layout(0, array(bare(fix(1))).from(1))),
		serves(0, 0, (*Broker).describeTopicPartitions, layout(0, array(text()), fix(4), maybe(text(), fix(4)))),
	}
}

// table finds a row by its key without a search.
type table struct {
	rows     []api
	byKey    [128]*api
	versions []kmsg.ApiVersionsResponseApiKey // the answer to ApiVersions; never changed
}

// newTable returns the table; topicIDs adds the versions of OffsetCommit and
// OffsetFetch that have only topic IDs.
func newTable(topicIDs bool) *table {
	t := &table{rows: rows()}
	for i := range t.rows {
		row := &t.rows[i]
		if topicIDs {
			row.max = max(row.max, row.topicIDs)
		}
		for version := row.accepts; version <= row.max; version++ {
			row.plans = append(row.plans, row.layout.plan(version))
		}
		t.byKey[row.key] = row
	}
	t.setVersions()
	return t
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
	part.setVersions()
	return part
}

// lookup returns the row of an API, or nil if it is not served.
func (t *table) lookup(key int16) *api {
	if key < 0 || int(key) >= len(t.byKey) {
		return nil
	}
	return t.byKey[key]
}
