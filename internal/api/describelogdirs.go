package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/catalog"
	"github.com/botehq/bote/internal/wire"
)

// DescribeLogDirs, key 35, versions 1-4 (KIP-113). 2 is flexible; 3 adds a top-level
// error; 4 adds the size of the volume.
func (b *Broker) describeLogDirs(r *wire.Request, q *kmsg.DescribeLogDirsRequest) {
	resp := kmsg.NewPtrDescribeLogDirsResponse()
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir = b.Dirs.Dir()
	dir.TotalBytes, dir.UsableBytes = -1, -1
	if total, free, err := b.Dirs.Space(); err == nil {
		dir.TotalBytes, dir.UsableBytes = total, free
	}
	s := b.Catalog.Snapshot()
	done := answered{}
	if q.Topics == nil {
		for t := range s.Topics() {
			dir.Topics = append(dir.Topics, b.dirTopic(t, allPartitions(t), done))
		}
	}
	for i := range q.Topics {
		if t := s.Topic(q.Topics[i].Topic); t != nil {
			if dt := b.dirTopic(t, q.Topics[i].Partitions, done); len(dt.Partitions) > 0 {
				dir.Topics = append(dir.Topics, dt)
			}
		}
	}
	resp.Dirs = append(resp.Dirs, dir)
	r.Reply(resp)
}

func allPartitions(t *catalog.Topic) []int32 {
	all := make([]int32, t.Partitions)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

func (b *Broker) dirTopic(t *catalog.Topic, indexes []int32, done answered) kmsg.DescribeLogDirsResponseDirTopic {
	dt := kmsg.NewDescribeLogDirsResponseDirTopic()
	dt.Topic = t.Name
	for _, index := range indexes {
		if p := b.Partitions.Get(t.ID, index); p != nil && !done.markAnswered(t.Name, index) {
			dp := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			dp.Partition, dp.Size = index, p.Size()
			dt.Partitions = append(dt.Partitions, dp)
		}
	}
	return dt
}
