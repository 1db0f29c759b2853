package client

import (
	"strconv"
	"strings"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String formats the partition as Kafka does: topic-0.
func (p TopicPartition) String() string { return p.Topic + "-" + strconv.Itoa(int(p.Partition)) }

// ComparePartitions orders partitions by topic and number.
func ComparePartitions(a, b TopicPartition) int {
	if d := strings.Compare(a.Topic, b.Topic); d != 0 {
		return d
	}
	return int(a.Partition - b.Partition)
}
