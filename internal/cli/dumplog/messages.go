package dumplog

import (
	"github.com/botehq/bote/internal/cli/format"
)

// The schemas of the records that kafka-dump-log decodes. The numbers reach disk; they are Kafka's.

// recordType is a type of record: the schemas of its key and its value. The version of the key is the number of the type.
type recordType struct {
	key, value message
}

// noTags marks schemas without flexible versions.
const noTags = -1

func keyMessage(fields ...msgField) message { return message{flexible: noTags, fields: fields} }

func valueMessage(fields ...msgField) message { return message{fields: fields} }

func textField(name string) msgField { return msgField{name: name, kind: kindString} }

func typedField(name string, kind fieldKind) msgField { return msgField{name: name, kind: kind} }

func structsField(name string, fields ...msgField) msgField {
	return msgField{name: name, kind: kindStructs, fields: fields}
}

func topicPartitions(name string) msgField {
	return structsField(name, typedField("topicId", kindUUID), typedField("partitions", kindInt32s))
}

func namedPartitions(name string) msgField {
	return structsField(name, typedField("topicId", kindUUID), textField("topicName"), typedField("partitions", kindInt32s))
}

func subtopologies(name string) msgField {
	return structsField(name, textField("subtopologyId"), typedField("partitions", kindInt32s))
}

// offsetsRecords are the records of __consumer_offsets.
func offsetsRecords() map[int16]recordType {
	offset := recordType{
		key: keyMessage(textField("group"), textField("topic"), typedField("partition", kindInt32)),
		value: message{flexible: 4, fields: []msgField{
			typedField("offset", kindInt64),
			{name: "leaderEpoch", kind: kindInt32, since: 3},
			textField("metadata"), typedField("commitTimestamp", kindInt64),
			{name: "expireTimestamp", kind: kindInt64, since: 1, until: 1},
			{name: "topicId", kind: kindUUID, since: 4, tagged: true},
		}},
	}
	group, member := keyMessage(textField("groupId")), keyMessage(textField("groupId"), textField("memberId"))
	epoch := valueMessage(typedField("epoch", kindInt32), msgField{name: "metadataHash", kind: kindInt64, tagged: true})
	shareEpoch := valueMessage(typedField("epoch", kindInt32), typedField("metadataHash", kindInt64))
	assignment := valueMessage(typedField("assignmentEpoch", kindInt32))
	targets := valueMessage(topicPartitions("topicPartitions"))
	classic := msgField{name: "classicMemberMetadata", kind: kindStruct, tagged: true, fields: []msgField{
		typedField("sessionTimeoutMs", kindInt32), structsField("supportedProtocols", textField("name"), typedField("metadata", kindBytes)),
	}}
	consumerState := []msgField{typedField("memberEpoch", kindInt32), typedField("previousMemberEpoch", kindInt32), typedField("state", kindInt8)}
	return map[int16]recordType{
		0: offset,
		1: offset,
		2: {key: keyMessage(textField("group")), value: groupMetadataMessage()},
		3: {key: group, value: epoch},
		4: {key: group, value: valueMessage(structsField("topics", typedField("topicId", kindUUID), textField("topicName"), typedField("numPartitions", kindInt32),
			structsField("partitionMetadata", typedField("partition", kindInt32), typedField("racks", kindStrings))))},
		5: {key: member, value: valueMessage(textField("instanceId"), textField("rackId"), textField("clientId"), textField("clientHost"), typedField("subscribedTopicNames", kindStrings),
			textField("subscribedTopicRegex"), typedField("rebalanceTimeoutMs", kindInt32), textField("serverAssignor"), classic)},
		6:  {key: group, value: assignment},
		7:  {key: member, value: targets},
		8:  {key: member, value: valueMessage(append(consumerState, topicPartitions("assignedPartitions"), topicPartitions("partitionsPendingRevocation"))...)},
		10: {key: member, value: valueMessage(textField("rackId"), textField("clientId"), textField("clientHost"), typedField("subscribedTopicNames", kindStrings))},
		11: {key: group, value: shareEpoch},
		12: {key: group, value: assignment},
		13: {key: member, value: targets},
		14: {key: member, value: valueMessage(append(consumerState, topicPartitions("assignedPartitions"))...)},
		15: {key: group, value: valueMessage(namedPartitions("initializingTopics"), namedPartitions("initializedTopics"), structsField("deletingTopics", typedField("topicId", kindUUID), textField("topicName")))},
		16: {key: keyMessage(textField("groupId"), textField("regularExpression")), value: valueMessage(typedField("topics", kindStrings), typedField("version", kindInt64), typedField("timestamp", kindInt64))},
		17: {key: group, value: epoch},
		21: {key: group, value: assignment},
		22: {key: member, value: valueMessage(subtopologies("activeTasks"), subtopologies("standbyTasks"), subtopologies("warmupTasks"))},
	}
}

func groupMetadataMessage() message {
	return message{flexible: 4, fields: []msgField{
		textField("protocolType"), typedField("generation", kindInt32), textField("protocol"), textField("leader"),
		{name: "currentStateTimestamp", kind: kindInt64, since: 2},
		structsField("members", textField("memberId"), msgField{name: "groupInstanceId", kind: kindString, since: 3}, textField("clientId"), textField("clientHost"),
			msgField{name: "rebalanceTimeout", kind: kindInt32, since: 1}, typedField("sessionTimeout", kindInt32), typedField("subscription", kindBytes), typedField("assignment", kindBytes)),
	}}
}

// transactionRecords are the records of __transaction_state.
func transactionRecords() map[int16]recordType {
	return map[int16]recordType{0: {
		key: keyMessage(textField("transactionalId")),
		value: message{
			flexible: 1, fields: []msgField{
				typedField("producerId", kindInt64),
				{name: "previousProducerId", kind: kindInt64, since: 1, tagged: true, tag: 0},
				{name: "nextProducerId", kind: kindInt64, since: 1, tagged: true, tag: 1},
				typedField("producerEpoch", kindInt16),
				typedField("transactionTimeoutMs", kindInt32), typedField("transactionStatus", kindInt8), structsField("transactionPartitions", textField("topic"), typedField("partitionIds", kindInt32s)),
				typedField("transactionLastUpdateTimestampMs", kindInt64), typedField("transactionStartTimestampMs", kindInt64),
				{name: "clientTransactionVersion", kind: kindInt16, since: 1, tagged: true, tag: 2},
				{name: "nextProducerEpoch", kind: kindInt16, since: 1, tagged: true, tag: 3},
			},
		},
	}}
}

// shareRecords are the records of __share_group_state.
func shareRecords() map[int16]recordType {
	k := keyMessage(textField("groupId"), typedField("topicId", kindUUID), typedField("partition", kindInt32))
	batches := structsField("stateBatches", typedField("firstOffset", kindInt64), typedField("lastOffset", kindInt64), typedField("deliveryState", kindInt8), typedField("deliveryCount", kindInt16))
	completed := msgField{name: "deliveryCompleteCount", kind: kindInt32, tagged: true}
	return map[int16]recordType{
		0: {key: k, value: valueMessage(typedField("snapshotEpoch", kindInt32), typedField("stateEpoch", kindInt32), typedField("leaderEpoch", kindInt32), typedField("startOffset", kindInt64),
			completed, typedField("createTimestamp", kindInt64), typedField("writeTimestamp", kindInt64), batches)},
		1: {key: k, value: valueMessage(typedField("snapshotEpoch", kindInt32), typedField("leaderEpoch", kindInt32), typedField("startOffset", kindInt64), completed, batches)},
	}
}

// metadataType is a type of record of the metadata log. The number of the type stands before the record.
type metadataType struct {
	name  string
	value message
}

// metadataRecords are the metadata records that kafka-storage format writes.
func metadataRecords() map[uint32]metadataType {
	return map[uint32]metadataType{
		format.MetadataFeatureLevel: {"FEATURE_LEVEL_RECORD", valueMessage(textField("name"), typedField("featureLevel", kindInt16))},
		format.MetadataUserScram: {"USER_SCRAM_CREDENTIAL_RECORD", valueMessage(textField("name"), typedField("mechanism", kindInt8), typedField("salt", kindBytes),
			typedField("storedKey", kindBytes), typedField("serverKey", kindBytes), typedField("iterations", kindInt32))},
	}
}

// controlRecords are the control records of the metadata log by their type. The value of each begins with its version.
func controlRecords() map[int16]metadataType {
	version := typedField("version", kindInt16)
	voters := structsField("voters", typedField("voterId", kindInt32), typedField("voterDirectoryId", kindUUID),
		structsField("endpoints", textField("name"), textField("host"), typedField("port", kindUint16)), msgField{name: "kRaftVersionFeature", kind: kindPlainStruct, fields: []msgField{
			typedField("minSupportedVersion", kindInt16), typedField("maxSupportedVersion", kindInt16),
		}})
	return map[int16]metadataType{
		2:                     {"LeaderChange", valueMessage(version, typedField("leaderId", kindInt32), structsField("voters", typedField("voterId", kindInt32)), structsField("grantingVoters", typedField("voterId", kindInt32)))},
		format.ControlHeader:  {"SnapshotHeader", valueMessage(version, typedField("lastContainedLogTimestamp", kindInt64))},
		format.ControlFooter:  {"SnapshotFooter", valueMessage(version)},
		format.ControlVersion: {"KRaftVersion", valueMessage(version, typedField("kRaftVersion", kindInt16))},
		format.ControlVoters:  {"KRaftVoters", valueMessage(version, voters)},
	}
}

// consumerSubscription is the schema of a member's subscription in the consumer protocol.
func consumerSubscription() message {
	return keyMessage(typedField("topics", kindStrings), typedField("userData", kindBytes),
		msgField{name: "ownedPartitions", kind: kindStructs, since: 1, fields: []msgField{textField("topic"), typedField("partitions", kindInt32s)}},
		msgField{name: "generationId", kind: kindInt32, since: 2}, msgField{name: "rackId", kind: kindString, since: 3})
}

// consumerAssignment is the schema of a member's assignment in the consumer protocol.
func consumerAssignment() message {
	return keyMessage(structsField("assignedPartitions", textField("topic"), typedField("partitions", kindInt32s)), typedField("userData", kindBytes))
}
