package cli

import (
	"strconv"
	"strings"
)

// topicPartition names a partition.
type topicPartition struct {
	topic     string
	partition int32
}

// String is Kafka's topic-partition.
func (p topicPartition) String() string { return p.topic + "-" + strconv.Itoa(int(p.partition)) }

func comparePartitions(a, b topicPartition) int {
	if d := strings.Compare(a.topic, b.topic); d != 0 {
		return d
	}
	return int(a.partition - b.partition)
}
