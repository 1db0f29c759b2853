package bare

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/botehq/bote/internal/record"
)

// program is what all connections share.
type program struct {
	dir    *os.File
	syncer *syncer // nil if nothing is synced

	mu     sync.Mutex
	topics map[string]string // each name, as one string for all requests
	logs   map[logName]*log
}

// logName names a partition.
type logName struct {
	topic     string
	partition int32
}

// log is the file of a partition.
type log struct {
	file *os.File

	mu       sync.Mutex
	batches  []position // where each batch begins
	end      position   // where the next batch will begin
	reserved int64      // bytes of space that the file has
}

// position is an offset, and where its batch begins in the file.
type position struct{ offset, at int64 }

// topic returns a name as a string. It allocates only for a new name.
func (p *program) topic(name []byte) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.topics[string(name)]
	if !ok {
		known = string(name)
		p.topics[known] = known
	}
	return known
}

// log returns the log of a partition. It is created at the first use.
func (p *program) log(name logName) (*log, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.logs[name]; ok {
		return l, nil
	}
	file, err := os.OpenFile(filepath.Join(p.dir.Name(), filepath.Base(name.topic)+"-"+strconv.Itoa(int(name.partition))), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make log: %w", err)
	}
	l := &log{file: file}
	p.logs[name] = l
	return l, nil
}

func (p *program) closeFiles() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.logs {
		_ = l.file.Close() // the data is only measured
	}
}

// append checks a batch, gives it its offset, and writes it to the end of a log. It
// returns the offset, or an error code if the batch is damaged.
func (p *program) append(name logName, b record.Batch) (offset int64, code uint16, err error) {
	if len(b) < record.HeaderSize || int(b.Length())+record.Overhead != len(b) || !b.ValidCRC() {
		return 0, corruptMessage, nil
	}
	l, err := p.log(name)
	if err != nil {
		return 0, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b.SetBaseOffset(l.end.offset)
	l.reserve(int64(len(b)))
	if _, err := l.file.WriteAt(b, l.end.at); err != nil {
		return 0, 0, fmt.Errorf("append: %w", err)
	}
	l.batches = append(l.batches, l.end)
	offset = l.end.offset
	l.end = position{offset: b.NextOffset(), at: l.end.at + int64(len(b))}
	return offset, none, nil
}

// A log reserves space ahead: as much as it has already, but not more than reserveMost.
// That costs less than extending the file batch by batch, and the broker does the same.
const (
	reserveFrom = 4 << 20
	reserveMost = 64 << 20
)

// reserve makes space for n more bytes.
func (l *log) reserve(n int64) {
	if l.end.at < reserveFrom || l.end.at+n <= l.reserved {
		return
	}
	from := max(l.reserved, l.end.at)
	step := min(l.end.at, reserveMost)
	l.reserved = from + step
	_ = preallocate(l.file, from, step) // the write says if there is no space
}

// part is a part of a log, which begins and ends with a batch.
type part struct {
	partition     int32
	file          *os.File
	at            int64
	size          int
	highWatermark int64
}

// find returns the part from an offset on that has at most that many bytes, but at
// least a batch if there is one.
func (l *log) find(offset int64, most int) part {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := part{file: l.file, highWatermark: l.end.offset}
	first, found := slices.BinarySearchFunc(l.batches, offset, func(b position, offset int64) int { return int(b.offset - offset) })
	if !found {
		return p
	}
	p.at = l.batches[first].at
	for i := first + 1; i <= len(l.batches); i++ {
		end := l.end.at
		if i < len(l.batches) {
			end = l.batches[i].at
		}
		if p.size > 0 && end-p.at > int64(most) {
			break
		}
		p.size = int(end - p.at)
	}
	return p
}
