package logs

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

	"github.com/botehq/bote/internal/cli/client"
	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

const aboutDeleteRecords = "This tool deletes the records of partitions below given offsets."

func deleteRecordsParser() *jopt.Parser {
	return &jopt.Parser{Options: []jopt.Option{
		{Name: "bootstrap-server", Arg: jopt.RequiredArg, Type: "String", What: "server(s) to use for bootstrapping", Help: "REQUIRED: the brokers to connect to."},
		{Name: "offset-json-file", Arg: jopt.RequiredArg, Type: "String", What: "Offset json file path", Help: `REQUIRED: JSON file with the offsets below which records are deleted: {"partitions": [{"topic": "t", "partition": 0, "offset": 3}], "version": 1}. Offset -1 deletes all records.`},
		{Name: "command-config", Arg: jopt.RequiredArg, Type: "String", What: "command config property file path", Help: "Properties file with settings for the admin client."},
		jopt.HelpOption(),
		jopt.VersionOption(),
	}}
}

// RunDeleteRecords is kafka-delete-records.
func RunDeleteRecords(ctx context.Context, s *tool.Streams, args []string) int {
	p := deleteRecordsParser()
	set, err := p.Parse(args)
	if err != nil {
		s.Complain(err, "%s%s\n", err, exception.Causes(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, aboutDeleteRecords); done {
		return code
	}
	if err := set.Needs("bootstrap-server", "offset-json-file"); err != nil {
		return p.Finish(s, err)
	}
	return p.Finish(s, deleteRecords(ctx, s, set))
}

func deleteRecords(ctx context.Context, s *tool.Streams, set *jopt.Set) error {
	r := &jopt.Reader{Set: set}
	servers, file, settingsFile := r.Text("bootstrap-server", ""), r.Text("offset-json-file", ""), r.Text("command-config", "")
	if r.Err != nil {
		return r.Err
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return &exception.Error{Class: "java.io.IOException", Text: "Unable to read file " + file, Cause: err}
	}
	if err != nil {
		return &exception.Error{Class: "java.io.IOException", Text: err.Error(), Cause: err}
	}
	offsets, err := offsetsFile(data)
	if err != nil {
		return err
	}
	settings, err := tool.OptionalProperties(settingsFile)
	if err != nil {
		return err
	}
	conn, err := client.Admin(ctx, s, servers, settings)
	if err != nil {
		return err
	}
	defer conn.Close()
	s.Printf("Executing records delete operation\n")
	marks, err := deleteUpTo(ctx, conn, offsets)
	if err != nil {
		return err
	}
	s.Printf("Records delete operation completed:\n")
	for _, p := range slices.SortedFunc(maps.Keys(offsets), client.ComparePartitions) {
		if m := marks[p]; m.Err != nil {
			s.Printf("partition: %s\terror: %s\n", p, exception.Named(m.Err))
		} else {
			s.Printf("partition: %s\tlow_watermark: %d\n", p, m.Offset)
		}
	}
	return nil
}

// offsetsFile reads the JSON file. The errors are Kafka's.
func offsetsFile(data []byte) (map[client.TopicPartition]int64, error) {
	var file struct {
		Version    *int `json:"version"`
		Partitions *[]struct {
			Topic     string `json:"topic"`
			Partition int32  `json:"partition"`
			Offset    int64  `json:"offset"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, exception.New(exception.AdminOperation, "The input string is not a valid JSON")
	}
	if file.Version != nil && *file.Version != 1 {
		return nil, exception.New(exception.AdminOperation, "Not supported version field value %d", *file.Version)
	}
	if file.Partitions == nil {
		return nil, exception.New(exception.AdminOperation, "Missing partitions field")
	}
	offsets := map[client.TopicPartition]int64{}
	for _, p := range *file.Partitions {
		one := client.TopicPartition{Topic: p.Topic, Partition: p.Partition}
		if _, twice := offsets[one]; twice {
			return nil, exception.New(exception.AdminCommandFailed, "Offset json file contains duplicate topic partitions: %s", one)
		}
		offsets[one] = p.Offset
	}
	return offsets, nil
}

// deleteUpTo deletes the records below the offsets and returns the new log start offsets.
func deleteUpTo(ctx context.Context, c *client.Conn, offsets map[client.TopicPartition]int64) (map[client.TopicPartition]client.FoundOffset, error) {
	topics, err := c.Topics(ctx, "deleteRecords(api=METADATA)")
	if err != nil {
		return nil, err
	}
	marks := map[client.TopicPartition]client.FoundOffset{}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 30_000
	for _, p := range slices.SortedFunc(maps.Keys(offsets), client.ComparePartitions) {
		if !exists(topics, p) {
			marks[p] = client.FoundOffset{Err: exception.FromBroker(kerr.UnknownTopicOrPartition.Code, nil)}
			continue
		}
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
		}
		one := kmsg.NewDeleteRecordsRequestTopicPartition()
		one.Partition, one.Offset = p.Partition, offsets[p]
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, one)
	}
	if len(req.Topics) == 0 {
		return marks, nil
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	resp, err := req.RequestWith(ctx, c.Client)
	if err != nil {
		return nil, exception.Of(err, "deleteRecords")
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			one := client.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			if p.ErrorCode != 0 {
				c.Streams.Log(tool.LevelError, "org.apache.kafka.clients.admin.internals.DeleteRecordsHandler",
					"%s DeleteRecords request for topic partition %s failed due to an unexpected error %s", c.Who(), one, client.ErrorName(p.ErrorCode))
			}
			marks[one] = client.FoundOffset{Offset: p.LowWatermark, Err: exception.FromBroker(p.ErrorCode, nil)}
		}
	}
	return marks, nil
}

func exists(topics []client.Topic, p client.TopicPartition) bool {
	return slices.ContainsFunc(topics, func(t client.Topic) bool {
		return t.Name == p.Topic && slices.ContainsFunc(t.Partitions, func(q client.Partition) bool { return q.ID == p.Partition })
	})
}
