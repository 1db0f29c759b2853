package config

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Topic is a topic's effective configuration as typed fields. Times are in milliseconds; -1 means no limit where Kafka
// says so.
type Topic struct {
	RetentionMs          int64
	RetentionBytes       int64
	SegmentBytes         int32
	SegmentMs            int64
	SegmentJitterMs      int64
	SegmentIndexBytes    int32
	IndexIntervalBytes   int32
	FileDeleteDelayMs    int64
	Preallocate          bool
	FlushMessages        int64
	FlushMs              int64
	MaxMessageBytes      int32
	MinInsyncReplicas    int32
	CompressionType      string // producer, uncompressed, gzip, snappy, lz4 or zstd
	GzipLevel            int
	LZ4Level             int
	ZstdLevel            int
	LogAppendTime        bool
	TimestampBeforeMaxMs int64
	TimestampAfterMaxMs  int64

	// Since Kafka 4.2 both may be false: such a topic keeps everything.
	CleanupDelete  bool
	CleanupCompact bool

	DeleteRetentionMs      int64
	MinCompactionLagMs     int64
	MaxCompactionLagMs     int64
	MinCleanableDirtyRatio float64
}

// TopicConfig returns the effective configuration of a topic whose own values are in l.Topic. Values that do not parse
// count as unset; values in the layers have been validated.
func (l Layers) TopicConfig() Topic {
	cleanup := strings.Split(l.TopicValue("cleanup.policy"), ",")
	return Topic{
		RetentionMs:            l.topicInt("retention.ms"),
		RetentionBytes:         l.topicInt("retention.bytes"),
		SegmentBytes:           int32(l.topicInt("segment.bytes")),
		SegmentMs:              l.topicInt("segment.ms"),
		SegmentJitterMs:        l.topicInt("segment.jitter.ms"),
		SegmentIndexBytes:      int32(l.topicInt("segment.index.bytes")),
		IndexIntervalBytes:     int32(l.topicInt("index.interval.bytes")),
		FileDeleteDelayMs:      l.topicInt("file.delete.delay.ms"),
		Preallocate:            l.TopicValue("preallocate") == "true",
		FlushMessages:          l.topicInt("flush.messages"),
		FlushMs:                l.topicInt("flush.ms"),
		MaxMessageBytes:        int32(l.topicInt("max.message.bytes")),
		MinInsyncReplicas:      int32(l.topicInt("min.insync.replicas")),
		CompressionType:        l.TopicValue("compression.type"),
		GzipLevel:              int(l.topicInt("compression.gzip.level")),
		LZ4Level:               int(l.topicInt("compression.lz4.level")),
		ZstdLevel:              int(l.topicInt("compression.zstd.level")),
		LogAppendTime:          l.TopicValue("message.timestamp.type") == "LogAppendTime",
		TimestampBeforeMaxMs:   l.topicInt("message.timestamp.before.max.ms"),
		TimestampAfterMaxMs:    l.topicInt("message.timestamp.after.max.ms"),
		CleanupDelete:          slices.Contains(cleanup, "delete"),
		CleanupCompact:         slices.Contains(cleanup, "compact"),
		DeleteRetentionMs:      l.topicInt("delete.retention.ms"),
		MinCompactionLagMs:     l.topicInt("min.compaction.lag.ms"),
		MaxCompactionLagMs:     l.topicInt("max.compaction.lag.ms"),
		MinCleanableDirtyRatio: l.topicFloat("min.cleanable.dirty.ratio"),
	}
}

func (l Layers) topicInt(name string) int64 {
	n, err := strconv.ParseInt(l.TopicValue(name), 10, 64)
	if err != nil {
		if k, ok := Lookup(TopicKind, name); ok {
			n, _ = strconv.ParseInt(value(k.Default), 10, 64)
		}
	}
	return n
}

func (l Layers) topicFloat(name string) float64 {
	f, err := strconv.ParseFloat(l.TopicValue(name), 64)
	if err != nil {
		if k, ok := Lookup(TopicKind, name); ok {
			f, _ = strconv.ParseFloat(value(k.Default), 64)
		}
	}
	return f
}

// Duration converts milliseconds to a duration. A number that does not fit, such as Kafka's "for ever", becomes the
// longest duration.
func Duration(milliseconds int64) time.Duration {
	if milliseconds > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(milliseconds) * time.Millisecond
}

// ValidateTopic refuses a topic's own values if a name is unknown, a value is bad, or values contradict each other,
// with Kafka's texts (LogConfig.validate). To find contradictions, it uses the effective values of all layers.
func (l Layers) ValidateTopic() error {
	for _, name := range slices.Sorted(maps.Keys(l.Topic)) {
		k, ok := Lookup(TopicKind, name)
		if !ok {
			return UnknownName(TopicKind, name)
		}
		if err := k.Validate(l.Topic[name]); err != nil {
			return err
		}
	}
	low, high := l.topicInt("min.compaction.lag.ms"), l.topicInt("max.compaction.lag.ms")
	if low > high {
		return &Error{
			Text:  fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", low, high),
			Class: ClassInvalid,
		}
	}
	if l.TopicValue("remote.storage.enable") == "true" {
		return &Error{Text: "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.", Class: ClassInvalid}
	}
	return nil
}
