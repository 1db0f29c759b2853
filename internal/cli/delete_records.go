package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const aboutDeleteRecords = "This tool deletes the records of partitions up to an offset."

func deleteRecordsParser() *optParser {
	return &optParser{options: []option{
		{name: "bootstrap-server", arg: requiredArg, typ: "String", what: "server(s) to use for bootstrapping", help: "REQUIRED: brokers to begin with."},
		{name: "offset-json-file", arg: requiredArg, typ: "String", what: "Offset json file path", help: `REQUIRED: file with what to delete: {"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}. Offset -1 is everything.`},
		{name: "command-config", arg: requiredArg, typ: "String", what: "command config property file path", help: "Properties file with settings of the admin client."},
		helpOption(),
		versionOption(),
	}}
}

func runDeleteRecords(ctx context.Context, s *streams, args []string) int {
	p := deleteRecordsParser()
	set, err := p.parse(args)
	if err != nil {
		s.complain(err, "%s%s\n", err, causes(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, aboutDeleteRecords); done {
		return code
	}
	if err := set.needs("bootstrap-server", "offset-json-file"); err != nil {
		return p.finish(s, err)
	}
	return p.finish(s, deleteRecords(ctx, s, set))
}

func deleteRecords(ctx context.Context, s *streams, set *optSet) error {
	r := &reader{set: set}
	servers, file, settingsFile := r.text("bootstrap-server", ""), r.text("offset-json-file", ""), r.text("command-config", "")
	if r.err != nil {
		return r.err
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return &exception{class: "java.io.IOException", text: "Unable to read file " + file, cause: err}
	}
	if err != nil {
		return &exception{class: "java.io.IOException", text: err.Error(), cause: err}
	}
	offsets, err := offsetsFile(data)
	if err != nil {
		return err
	}
	settings, err := optionalProperties(settingsFile)
	if err != nil {
		return err
	}
	conn, err := admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	s.printf("Executing records delete operation\n")
	marks, err := deleteUpTo(ctx, conn, offsets)
	if err != nil {
		return err
	}
	s.printf("Records delete operation completed:\n")
	for _, p := range slices.SortedFunc(maps.Keys(offsets), comparePartitions) {
		if m := marks[p]; m.err != nil {
			s.printf("partition: %s\terror: %s\n", p, named(m.err))
		} else {
			s.printf("partition: %s\tlow_watermark: %d\n", p, m.offset)
		}
	}
	return nil
}

// offsetsFile reads the JSON file, with Kafka's refusals.
func offsetsFile(data []byte) (map[topicPartition]int64, error) {
	var file struct {
		Version    *int `json:"version"`
		Partitions *[]struct {
			Topic     string `json:"topic"`
			Partition int32  `json:"partition"`
			Offset    int64  `json:"offset"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, throw(classOperation, "The input string is not a valid JSON")
	}
	if file.Version != nil && *file.Version != 1 {
		return nil, throw(classOperation, "Not supported version field value %d", *file.Version)
	}
	if file.Partitions == nil {
		return nil, throw(classOperation, "Missing partitions field")
	}
	offsets := map[topicPartition]int64{}
	for _, p := range *file.Partitions {
		one := topicPartition{p.Topic, p.Partition}
		if _, twice := offsets[one]; twice {
			return nil, throw(classCommand, "Offset json file contains duplicate topic partitions: %s", one)
		}
		offsets[one] = p.Offset
	}
	return offsets, nil
}

// deleteUpTo returns the new log start offsets.
func deleteUpTo(ctx context.Context, c *connection, offsets map[topicPartition]int64) (map[topicPartition]foundOffset, error) {
	topics, err := c.topics(ctx, "deleteRecords(api=METADATA)")
	if err != nil {
		return nil, err
	}
	marks := map[topicPartition]foundOffset{}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 30_000
	for _, p := range slices.SortedFunc(maps.Keys(offsets), comparePartitions) {
		if !exists(topics, p) {
			marks[p] = foundOffset{err: brokerError(kerr.UnknownTopicOrPartition.Code, nil)}
			continue
		}
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.topic {
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = p.topic
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewDeleteRecordsRequestTopicPartition()
		one.Partition, one.Offset = p.partition, offsets[p]
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, one)
	}
	if len(req.Topics) == 0 {
		return marks, nil
	}
	ctx, cancel := c.within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, asException(err, "deleteRecords")
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			one := topicPartition{t.Topic, p.Partition}
			if p.ErrorCode != 0 {
				c.s.log(levelError, "org.apache.kafka.clients.admin.internals.DeleteRecordsHandler",
					"%s DeleteRecords request for topic partition %s failed due to an unexpected error %s", c.who(), one, kafkaName(p.ErrorCode))
			}
			marks[one] = foundOffset{offset: p.LowWatermark, err: brokerError(p.ErrorCode, nil)}
		}
	}
	return marks, nil
}

func exists(topics []topicMetadata, p topicPartition) bool {
	return slices.ContainsFunc(topics, func(t topicMetadata) bool {
		return t.name == p.topic && slices.ContainsFunc(t.partitions, func(q partitionMetadata) bool { return q.id == p.partition })
	})
}
