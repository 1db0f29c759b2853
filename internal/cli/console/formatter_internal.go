package console

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
)

// The formatters of the internal topics write one JSON object per record, without a newline, as Kafka's do. Each skips the
// records that are not of its kind.
type (
	offsetsFormatter struct{}
	groupFormatter   struct{}
	txnFormatter     struct{}
)

// coordinatorRecord is the JSON of all these formatters. The type of a key is its version.
type coordinatorRecord struct {
	Key   typedKey        `json:"key"`
	Value *versionedValue `json:"value"`
}

type typedKey struct {
	Type int16 `json:"type"`
	Data any   `json:"data"`
}

type versionedValue struct {
	Version int16 `json:"version"`
	Data    any   `json:"data"`
}

type offsetKey struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

type offsetValue struct {
	Offset          int64  `json:"offset"`
	LeaderEpoch     *int32 `json:"leaderEpoch,omitempty"`
	Metadata        string `json:"metadata"`
	CommitTimestamp int64  `json:"commitTimestamp"`
	ExpireTimestamp *int64 `json:"expireTimestamp,omitempty"`
	TopicID         string `json:"topicId,omitempty"`
}

func (offsetsFormatter) write(w io.Writer, rec *kgo.Record) error {
	kind, ok := keyType(rec.Key)
	if !ok || kind > 1 {
		return nil
	}
	var key kmsg.OffsetCommitKey
	if err := key.ReadFrom(rec.Key); err != nil {
		return fmt.Errorf("read the key of an offset commit: %w", err)
	}
	out := coordinatorRecord{Key: typedKey{kind, offsetKey{key.Group, key.Topic, key.Partition}}}
	if rec.Value != nil {
		v, err := readOffsetValue(rec.Value)
		if err != nil {
			return err
		}
		out.Value = v
	}
	return writeJSON(w, out)
}

// readOffsetValue reads versions 0 to 4. Version 4 has compact strings and tags.
func readOffsetValue(data []byte) (*versionedValue, error) {
	b := kbin.Reader{Src: data}
	version := b.Int16()
	v := offsetValue{Offset: b.Int64()}
	if version >= 3 {
		v.LeaderEpoch = new(b.Int32())
	}
	if version >= 4 {
		v.Metadata = b.CompactString()
	} else {
		v.Metadata = b.String()
	}
	v.CommitTimestamp = b.Int64()
	if version == 1 {
		v.ExpireTimestamp = new(b.Int64())
	}
	if version >= 4 {
		v.TopicID = readTopicID(&b)
	}
	if !b.Ok() {
		return nil, exception.New(exception.Kafka, "unreadable offset commit of version %d", version)
	}
	return &versionedValue{version, v}, nil
}

// readTopicID reads the tagged fields of an offset commit. The one with tag 0 is the ID of the topic.
func readTopicID(b *kbin.Reader) (id string) {
	for n := b.Uvarint(); n > 0 && b.Ok(); n-- {
		tag, size := b.Uvarint(), b.Uvarint()
		field := b.Span(int(size))
		if tag == 0 && len(field) == 16 {
			id = base64.RawURLEncoding.EncodeToString(field)
		}
	}
	return id
}

type groupKey struct {
	Group string `json:"group"`
}

type groupValue struct {
	ProtocolType          string        `json:"protocolType"`
	Generation            int32         `json:"generation"`
	Protocol              *string       `json:"protocol"`
	Leader                *string       `json:"leader"`
	CurrentStateTimestamp *int64        `json:"currentStateTimestamp,omitempty"`
	Members               []groupMember `json:"members"`
}

type groupMember struct {
	MemberID         string  `json:"memberId"`
	GroupInstanceID  *string `json:"groupInstanceId"`
	ClientID         string  `json:"clientId"`
	ClientHost       string  `json:"clientHost"`
	RebalanceTimeout int32   `json:"rebalanceTimeout"`
	SessionTimeout   int32   `json:"sessionTimeout"`
	Subscription     string  `json:"subscription"`
	Assignment       string  `json:"assignment"`
}

func (groupFormatter) write(w io.Writer, rec *kgo.Record) error {
	kind, ok := keyType(rec.Key)
	if !ok || kind != 2 {
		return nil
	}
	var key kmsg.GroupMetadataKey
	if err := key.ReadFrom(rec.Key); err != nil {
		return fmt.Errorf("read the key of a group: %w", err)
	}
	out := coordinatorRecord{Key: typedKey{kind, groupKey{key.Group}}}
	if rec.Value != nil {
		var v kmsg.GroupMetadataValue
		if err := v.ReadFrom(rec.Value); err != nil {
			return fmt.Errorf("read the value of group %s: %w", key.Group, err)
		}
		out.Value = &versionedValue{v.Version, groupOf(v)}
	}
	return writeJSON(w, out)
}

func groupOf(v kmsg.GroupMetadataValue) groupValue {
	g := groupValue{ProtocolType: v.ProtocolType, Generation: v.Generation, Protocol: v.Protocol, Leader: v.Leader, Members: []groupMember{}}
	if v.Version >= 2 {
		g.CurrentStateTimestamp = &v.CurrentStateTimestamp
	}
	for _, m := range v.Members {
		g.Members = append(g.Members, groupMember{
			MemberID: m.MemberID, GroupInstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
			RebalanceTimeout: m.RebalanceTimeoutMillis, SessionTimeout: m.SessionTimeoutMillis,
			Subscription: base64.StdEncoding.EncodeToString(m.Subscription), Assignment: base64.StdEncoding.EncodeToString(m.Assignment),
		})
	}
	return g
}

type txnKey struct {
	TransactionalID string `json:"transactionalId"`
}

type txnValue struct {
	ProducerID                       int64          `json:"producerId"`
	ProducerEpoch                    int16          `json:"producerEpoch"`
	TransactionTimeoutMs             int32          `json:"transactionTimeoutMs"`
	TransactionStatus                int8           `json:"transactionStatus"`
	TransactionPartitions            []txnPartition `json:"transactionPartitions"`
	TransactionLastUpdateTimestampMs int64          `json:"transactionLastUpdateTimestampMs"`
	TransactionStartTimestampMs      int64          `json:"transactionStartTimestampMs"`
}

type txnPartition struct {
	Topic        string  `json:"topic"`
	PartitionIDs []int32 `json:"partitionIds"`
}

func (txnFormatter) write(w io.Writer, rec *kgo.Record) error {
	kind, ok := keyType(rec.Key)
	if !ok || kind != 0 {
		return nil
	}
	var key kmsg.TxnMetadataKey
	if err := key.ReadFrom(rec.Key); err != nil {
		return fmt.Errorf("read the key of a transaction: %w", err)
	}
	out := coordinatorRecord{Key: typedKey{kind, txnKey{key.TransactionalID}}}
	if rec.Value != nil {
		var v kmsg.TxnMetadataValue
		if err := v.ReadFrom(rec.Value); err != nil {
			return fmt.Errorf("read the value of transaction %s: %w", key.TransactionalID, err)
		}
		t := txnValue{
			ProducerID: v.ProducerID, ProducerEpoch: v.ProducerEpoch, TransactionTimeoutMs: v.TimeoutMillis, TransactionStatus: int8(v.State),
			TransactionPartitions: []txnPartition{}, TransactionLastUpdateTimestampMs: v.LastUpdateTimestamp, TransactionStartTimestampMs: v.StartTimestamp,
		}
		for _, p := range v.Topics {
			t.TransactionPartitions = append(t.TransactionPartitions, txnPartition{p.Topic, p.Partitions})
		}
		out.Value = &versionedValue{v.Version, t}
	}
	return writeJSON(w, out)
}

func keyType(key []byte) (int16, bool) {
	if len(key) < 2 {
		return 0, false
	}
	return int16(binary.BigEndian.Uint16(key)), true
}

// writeJSON writes v as one line without a newline and without escaping <, > and &.
func writeJSON(w io.Writer, v any) error {
	text, err := tool.JSON(v)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err //nolint:wrapcheck // the caller looks for a closed pipe
}
