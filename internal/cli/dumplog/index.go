package dumplog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/storage/segment"
)

// segmentOf returns the base offset in a file's name, and the path of the log of the same segment.
func segmentOf(file string) (base int64, log string, err error) {
	name := filepath.Base(file)
	stem := strings.TrimSuffix(name, filepath.Ext(name))
	base, err = strconv.ParseInt(stem, 10, 64)
	if err != nil {
		return 0, "", exception.New("java.lang.NumberFormatException", "For input string: %q", stem)
	}
	return base, filepath.Join(filepath.Dir(file), stem+".log"), nil
}

// dumpIndex prints an offset index and compares it with its log.
func (d *dumper) dumpIndex(ctx context.Context, file string) error {
	base, log, err := segmentOf(file)
	if err != nil {
		return err
	}
	raw, err := readDumped(file)
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		d.s.Printf("%s is empty.\n", file)
		return nil
	}
	if d.sanityOnly {
		return d.sane(file, len(raw), segment.OffsetEntrySize)
	}
	walk, err := openBatches(log)
	if err != nil {
		return missingLog(err, log)
	}
	defer walk.close()
	entries := segment.OffsetIndex(raw)
	for i := range entries.Len() {
		e := entries.At(i)
		if e.Relative == 0 && i > 0 {
			return nil // the rest of the file is preallocated
		}
		offset, position := base+int64(uint32(e.Relative)), int64(uint32(e.Position)) // unsigned: damaged entries are printed too
		walk.position = position
		if b, err := walk.next(ctx); err == nil && b.LastOffset() != offset {
			note(&d.mismatches, file, offset, b.LastOffset())
		} else if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errTrailing) {
			return err
		}
		if !d.verifyOnly {
			d.s.Printf("offset: %d position: %d\n", offset, position)
		}
	}
	return nil
}

// dumpTimeIndex prints a time index and compares it with its log. Each entry must name the last offset of a batch.
func (d *dumper) dumpTimeIndex(ctx context.Context, file string) error {
	base, log, err := segmentOf(file)
	if err != nil {
		return err
	}
	raw, err := readDumped(file)
	if err != nil {
		return err
	}
	if len(raw) == 0 {
		d.s.Printf("%s is empty.\n", file)
		return nil
	}
	if d.sanityOnly {
		return d.sane(file, len(raw), segment.TimeEntrySize)
	}
	batches, err := headersOf(ctx, log)
	if err != nil {
		return err
	}
	entries := segment.TimeIndex(raw)
	for i := range entries.Len() {
		e := entries.At(i)
		if e.Timestamp == 0 && i > 0 {
			return nil
		}
		offset := base + int64(uint32(e.Relative))
		d.checkTime(file, batches, offset)
		if !d.verifyOnly {
			d.s.Printf("timestamp: %d offset: %d\n", e.Timestamp, offset)
		}
	}
	return nil
}

// batchSpan is the offsets of a batch, both inclusive.
type batchSpan struct{ first, last int64 }

// checkTime notes a problem unless the offset of an entry is the last offset of a batch.
func (d *dumper) checkTime(file string, batches []batchSpan, offset int64) {
	for _, b := range batches {
		if b.last < offset {
			continue
		}
		if b.last != offset {
			note(&d.timeProblem, file, offset, b.last)
		}
		return
	}
	note(&d.timeProblem, file, offset, -1)
}

func headersOf(ctx context.Context, log string) ([]batchSpan, error) {
	walk, err := openBatches(log)
	if err != nil {
		return nil, missingLog(err, log)
	}
	defer walk.close()
	var list []batchSpan
	for {
		b, err := walk.next(ctx)
		if errors.Is(err, io.EOF) || errors.Is(err, errTrailing) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, batchSpan{b.BaseOffset(), b.LastOffset()})
	}
}

func missingLog(err error, log string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &exception.Error{Class: exception.NoSuchFile, Text: log, Cause: err}
	}
	return err
}

// sane checks the size of an index.
func (d *dumper) sane(file string, size, entry int) error {
	if size%entry != 0 {
		return exception.New("org.apache.kafka.storage.internals.log.CorruptIndexException", "Index file %s is corrupt, found %d bytes which is neither positive nor a multiple of %d.", file, size, entry)
	}
	d.s.Printf("%s passed sanity check.\n", file)
	return nil
}

// dumpAborted prints a transaction index.
func (d *dumper) dumpAborted(file string) error {
	raw, err := readDumped(file)
	if err != nil {
		return err
	}
	entries := segment.AbortedIndex(raw)
	for i := range entries.Len() {
		e := entries.At(i)
		d.s.Printf("version: %d producerId: %d firstOffset: %d lastOffset: %d lastStableOffset: %d\n",
			e.Version, e.ProducerID, e.FirstOffset, e.LastOffset, e.LastStableOffset)
	}
	return nil
}

// producerEntry is a producer in a producer snapshot.
type producerEntry struct {
	producerID       int64
	epoch            int16
	lastSequence     int32
	lastOffset       int64
	offsetDelta      int32
	timestamp        int64
	coordinatorEpoch int32
	firstTxnOffset   int64
}

// dumpProducers prints a producer snapshot.
func (d *dumper) dumpProducers(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	corrupt := func(why string) error {
		d.s.Remark("Snapshot %s is corrupt: %s\n", file, why)
		return nil
	}
	const head, entry = 10, 46 // version, CRC-32C, count; an entry
	if len(raw) < head {
		return corrupt("it is too short")
	}
	if version := binary.BigEndian.Uint16(raw); version != 1 {
		return corrupt(fmt.Sprintf("version %d is not understood", version))
	}
	count := int64(binary.BigEndian.Uint32(raw[6:]))
	if binary.BigEndian.Uint32(raw[2:]) != castagnoli(raw[6:]) || int64(len(raw)-head) < count*entry {
		return corrupt("its checksum is wrong")
	}
	for p := raw[head:]; count > 0; p, count = p[entry:], count-1 {
		d.producerLine(producerEntry{
			producerID: int64(binary.BigEndian.Uint64(p)), epoch: int16(binary.BigEndian.Uint16(p[8:])), lastSequence: int32(binary.BigEndian.Uint32(p[10:])),
			lastOffset: int64(binary.BigEndian.Uint64(p[14:])), offsetDelta: int32(binary.BigEndian.Uint32(p[22:])), timestamp: int64(binary.BigEndian.Uint64(p[26:])),
			coordinatorEpoch: int32(binary.BigEndian.Uint32(p[34:])), firstTxnOffset: int64(binary.BigEndian.Uint64(p[38:])),
		})
	}
	return nil
}

func (d *dumper) producerLine(e producerEntry) {
	open := "OptionalLong.empty"
	if e.firstTxnOffset >= 0 {
		open = fmt.Sprintf("OptionalLong[%d]", e.firstTxnOffset)
	}
	d.s.Printf("producerId: %d producerEpoch: %d coordinatorEpoch: %d currentTxnFirstOffset: %s lastTimestamp: %d ", e.producerID, e.epoch, e.coordinatorEpoch, open, e.timestamp)
	if e.lastSequence >= 0 {
		first := e.lastSequence - e.offsetDelta
		if first < 0 { // sequence numbers wrap to 0 after the largest
			first += math.MaxInt32
			first++
		}
		d.s.Printf("firstSequence: %d lastSequence: %d lastOffset: %d offsetDelta: %d timestamp: %d",
			first, e.lastSequence, e.lastOffset, e.offsetDelta, e.timestamp)
	}
	d.s.Printf("\n")
}

// castagnoli is the CRC-32C that Kafka's files use.
func castagnoli(p []byte) uint32 { return crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)) }
