package dumplog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/record"
	"github.com/botehq/bote/internal/storage/segment"
)

// dumpedRecordLimit is the largest size of a batch's records after decompression, in bytes.
const dumpedRecordLimit = 1 << 30

// dumpLog prints the batches of a log segment or of a snapshot.
func (d *dumper) dumpLog(ctx context.Context, file string) error {
	walk, err := openBatches(file)
	if err != nil {
		return err
	}
	defer walk.close()
	last := int64(-1)
	for walk.position < d.maxBytes {
		b, err := walk.next(ctx)
		if errors.Is(err, io.EOF) || errors.Is(err, errTrailing) {
			break
		}
		if err != nil {
			return err
		}
		d.batchLine(b, walk.position-int64(len(b)))
		if !d.deep {
			last = b.LastOffset()
			continue
		}
		if last, err = d.records(file, b, last); err != nil {
			return err
		}
	}
	if left := walk.size - walk.position; left > 0 && walk.position < d.maxBytes {
		d.s.Printf("Found %d invalid bytes at the end of %s\n", left, file)
	}
	return nil
}

func (d *dumper) batchLine(b record.Batch, position int64) {
	horizon := "OptionalLong.empty"
	lastSequence := b.LastSequence()
	if b.BaseSequence() < 0 {
		lastSequence = b.BaseSequence()
	}
	const deleteHorizon = 0x40 // attribute bit: the base timestamp is the delete horizon
	if b.Attributes()&deleteHorizon != 0 {
		horizon = fmt.Sprintf("OptionalLong[%d]", b.BaseTimestamp())
	}
	d.s.Printf("baseOffset: %d lastOffset: %d count: %d baseSequence: %d lastSequence: %d producerId: %d producerEpoch: %d partitionLeaderEpoch: %d isTransactional: %t isControl: %t deleteHorizonMs: %s position: %d %s: %d size: %d magic: 2 compresscodec: %s crc: %d isvalid: %t\n",
		b.BaseOffset(), b.LastOffset(), b.Count(), b.BaseSequence(), lastSequence, b.ProducerID(), b.ProducerEpoch(), b.LeaderEpoch(), b.Transactional(), b.Control(),
		horizon, position, timeName(b), b.MaxTimestamp(), len(b), b.Codec(), b.CRC(), b.ValidCRC())
}

func timeName(b record.Batch) string {
	if b.LogAppendTime() {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// records prints the records of a batch and returns the last offset.
func (d *dumper) records(file string, b record.Batch, last int64) (int64, error) {
	payload, err := record.Decompress(b.Codec(), b.Payload(), dumpedRecordLimit)
	if err != nil {
		return last, exception.New(exception.Kafka, "batch at offset %d of %s: %s", b.BaseOffset(), file, err)
	}
	rest := payload
	for r, err := range record.Records(payload, b.Count()) {
		if err != nil {
			return last, exception.New("org.apache.kafka.common.InvalidRecordException", "batch at offset %d of %s: %s", b.BaseOffset(), file, err)
		}
		size, n := binary.Varint(rest)
		body := rest[n : n+int(size)]
		rest = rest[n+int(size):]
		offset := b.BaseOffset() + int64(r.OffsetDelta)
		if last >= 0 && offset != last+1 {
			note(&d.gaps, file, last, offset)
		}
		last = offset
		if err := d.recordLine(b, r, body); err != nil {
			return last, exception.New(exception.Runtime, "record at offset %d of %s: %s", offset, file, err)
		}
	}
	return last, nil
}

func (d *dumper) recordLine(b record.Batch, r record.Record, body []byte) error {
	var line strings.Builder
	prefix := "|"
	if !d.skipMetadata || !d.printData {
		d.recordMetadata(&line, b, r, body)
	}
	switch {
	case b.Control() && !d.skipMetadata:
		line.WriteString(controlText(r))
	case d.printData && !b.Control():
		key, payload, err := d.decode(r)
		if err != nil {
			return err
		}
		if d.skipMetadata && key == "" {
			prefix = ""
		}
		line.WriteString(key + payload)
	}
	if line.Len() > 0 {
		d.s.Printf("%s%s\n", prefix, line.String())
	}
	return nil
}

func (d *dumper) recordMetadata(line *strings.Builder, b record.Batch, r record.Record, body []byte) {
	timestamp := b.BaseTimestamp() + r.TimestampDelta
	if b.LogAppendTime() {
		timestamp = b.MaxTimestamp()
	}
	sequence := int32(-1)
	if b.BaseSequence() >= 0 {
		sequence = record.SequenceAfter(b.BaseSequence(), r.OffsetDelta)
	}
	fmt.Fprintf(line, " offset: %d %s: %d keySize: %d valueSize: %d sequence: %d headerKeys: [%s]",
		b.BaseOffset()+int64(r.OffsetDelta), timeName(b), timestamp, sizeOf(r.Key), sizeOf(r.Value), sequence, strings.Join(headerKeys(body), ","))
}

func sizeOf(p []byte) int {
	if p == nil {
		return -1
	}
	return len(p)
}

// headerKeys reads the header keys of an encoded record that record.Records has checked.
func headerKeys(body []byte) []string {
	varint := func() int64 {
		v, n := binary.Varint(body)
		body = body[n:]
		return v
	}
	skip := func() []byte {
		n := max(varint(), 0)
		p := body[:n]
		body = body[n:]
		return p
	}
	body = body[1:] // attributes
	varint()        // timestamp delta
	varint()        // offset delta
	skip()          // key
	skip()          // value
	keys := make([]string, 0, 4)
	for range varint() {
		keys = append(keys, string(skip()))
		skip()
	}
	return keys
}

// classDecoder reads keys and values as Kafka's decoder classes of these names do. An unknown class reads text.
func classDecoder(keyClass, valueClass string) decoder {
	return func(r record.Record) (key, payload string, err error) {
		if r.Key != nil {
			key = " key: " + decodeAs(keyClass, r.Key)
		}
		if r.Value != nil {
			payload = " payload: " + decodeAs(valueClass, r.Value)
		}
		return key, payload, nil
	}
}

func decodeAs(class string, p []byte) string {
	switch {
	case strings.HasSuffix(class, "LongDecoder") && len(p) == 8:
		return fmt.Sprint(int64(binary.BigEndian.Uint64(p)))
	case strings.HasSuffix(class, "IntegerDecoder") && len(p) == 4:
		return fmt.Sprint(int32(binary.BigEndian.Uint32(p)))
	}
	return string(p)
}

// errTrailing means that the bytes that follow are not a batch.
var errTrailing = errors.New("no batch")

// batchReader reads a file batch by batch and holds one batch at a time.
type batchReader struct {
	file     *os.File
	body     *segment.Reader
	size     int64
	position int64
}

// dumpStep is how much of a log is read at a time.
const dumpStep = 1 << 20

func openBatches(file string) (*batchReader, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close() // the first error is the one to report
		return nil, fmt.Errorf("size of log: %w", err)
	}
	base, _, _ := segmentOf(file) // the name of a snapshot has no base offset; it begins at 0
	body := segment.Body{Source: segment.From(f), Base: base, Size: info.Size()}
	return &batchReader{file: f, body: segment.NewReader(body, dumpStep, nil), size: info.Size()}, nil
}

func (w *batchReader) close() { _ = w.file.Close() } // the file was only read

// next reads the batch at the position. It returns io.EOF at the end of the file, and errTrailing if there is no batch at the
// position. The batch is valid until the next call.
func (w *batchReader) next(ctx context.Context) (record.Batch, error) {
	if w.position >= w.size {
		return nil, io.EOF
	}
	h, flaw, err := w.body.Header(ctx, w.position)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	if flaw != segment.NoFlaw {
		return nil, errTrailing
	}
	size, _ := record.Size(h)
	b, err := w.body.At(ctx, w.position, size)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	w.position += int64(size)
	return b, nil
}
