package record

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Rules are a topic's rules for the batches that producers send. Times are in
// milliseconds.
type Rules struct {
	MaxBytes      int   // of the whole batch as it was sent
	Compacted     bool  // a null key is refused
	LogAppendTime bool  // every record gets the broker's time
	Now           int64 // the broker's clock
	BeforeMax     int64 // how far before Now a timestamp may be
	AfterMax      int64 // how far after Now a timestamp may be
	// FramingOnly skips unpacking compressed records where the topic does not need it,
	// and trusts what the header says about them.
	FramingOnly bool
	// Forced says that the topic stores batches with the codec Force, at level Level.
	Forced bool
	Force  Codec
	Level  int
}

// RefusedError says why a batch is refused: the error code for the client, a text, and
// the faulty records, if the fault is in single records.
type RefusedError struct {
	Code    *kerr.Error
	Message string
	// Faults are the first faulty records, by index; FaultCount is the number of all.
	Faults     []Fault
	FaultCount int
}

// Error makes a RefusedError an error.
func (r *RefusedError) Error() string { return r.Code.Message + ": " + r.Message }

// Unwrap returns the error that the client gets.
func (r *RefusedError) Unwrap() error { return r.Code }

// MessageIn returns the text for the client, in the words of Kafka's LogValidator. It
// names the partition if the text lists faulty records.
func (r *RefusedError) MessageIn(partition string) string {
	if len(r.Faults) == 0 || errors.Is(r.Code, kerr.InvalidTimestamp) {
		return r.Message
	}
	const shown = 3
	var texts []string
	for _, f := range r.Faults[:min(shown, len(r.Faults))] {
		texts = append(texts, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", f.Index, f.MessageIn(partition)))
	}
	return fmt.Sprintf("%s %d record errors in total, and only showing the first three errors at most: [%s]", r.Message, r.FaultCount, strings.Join(texts, ", "))
}

// Fault is the fault of one record: a null key, or a timestamp outside the range.
type Fault struct {
	Index            int32
	NullKey          bool
	Timestamp        int64
	Offset           int64 // relative to the batch
	Earliest, Latest int64 // the range, in milliseconds
}

// MessageIn returns the text for the client.
func (f Fault) MessageIn(partition string) string {
	if f.NullKey {
		return "Compacted topic cannot accept message without key in topic partition " + partition
	}
	return fmt.Sprintf("Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]", f.Timestamp, f.Offset, f.Earliest, f.Latest)
}

func refuse(code *kerr.Error, message string) error {
	return &RefusedError{Code: code, Message: message}
}

// Bounds for the unpacked size of a compressed batch whose records must be read:
// unpackRatio times its size, but at least unpackFloor and at most unpackLimit. They
// bound time, not memory: nothing holds all unpacked records. The ratio is above what
// zstd makes of a batch of zeros.
const (
	unpackLimit = 256 << 20
	unpackFloor = 16 << 20
	unpackRatio = 16 << 10
)

func unpackBound(packed int) int {
	if packed >= unpackLimit/unpackRatio {
		return unpackLimit
	}
	return max(unpackFloor, unpackRatio*packed)
}

// Check validates the record field of one partition of a Produce request. It returns the
// field's one batch, ready for append except for offset and epoch. The result aliases
// field, unless the topic forces another codec. For a refused batch the error is a
// *RefusedError; bytes that are no batch at all give [ErrCorrupt], which fails the whole
// request.
//
// Check reads the records, unpacking compressed ones piece by piece, and corrects the max
// timestamp if the records have another. The checks are in the order of Kafka's
// LogValidator.
func Check(field []byte, r Rules) (Batch, error) {
	b, err := only(field)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(b, r); err != nil {
		return nil, err
	}
	if !r.FramingOnly || b.Codec() == None || r.Compacted || r.Forced && r.Force != b.Codec() {
		return checkRecords(b, r)
	}
	return checkFraming(b, r)
}

// checkFraming checks how the compressed records begin, and nothing beyond that.
func checkFraming(b Batch, r Rules) (Batch, error) {
	if !looksLike(b.Codec(), b.Payload()) {
		return nil, refuse(kerr.InvalidRecord, "the records are not "+b.Codec().String()+" data")
	}
	w := newWalk(r, b.MaxTimestamp())
	w.maxTime = b.MaxTimestamp()
	w.note(Summary{})
	if err := w.refusal(); err != nil {
		return nil, err
	}
	b.SetTimestamps(r.LogAppendTime, w.maxTimestamp())
	return b, nil
}

// only returns the single batch of a record field. As in Kafka, bytes after it that are
// no complete batch are cut off.
func only(field []byte) (Batch, error) {
	b, rest, err := Split(field)
	switch {
	case errors.Is(err, ErrShort):
		return nil, refuse(kerr.InvalidRecord, "a partition of a produce request needs exactly one record batch")
	case err != nil && (field[magicAt] == 0 || field[magicAt] == 1):
		return nil, refuse(kerr.InvalidRecord, "message formats before version 2 are not accepted")
	case err != nil:
		return nil, err
	}
	if _, _, err := Split(rest); err == nil {
		return nil, refuse(kerr.InvalidRecord, "a partition of a produce request needs exactly one record batch")
	}
	return b, nil
}

func checkHeader(b Batch, r Rules) error {
	switch {
	case b.BaseOffset() != 0:
		return refuse(kerr.InvalidRecord, "the base offset of a produced batch must be 0")
	case len(b) > r.MaxBytes:
		return refuse(kerr.MessageTooLarge, kerr.MessageTooLarge.Description)
	case !b.ValidCRC():
		return refuse(kerr.CorruptMessage, "the checksum of the batch does not match its bytes")
	case b.LastOffsetDelta() < 0 || b.Count() <= 0 || b.Count() != b.LastOffsetDelta()+1 || b.LastOffsetDelta() == math.MaxInt32:
		return refuse(kerr.InvalidRecord, "record count and last offset delta do not agree")
	case b.Control():
		return refuse(kerr.InvalidRecord, "clients may not write control records")
	case b.ProducerID() >= 0 && b.BaseSequence() < 0:
		return refuse(kerr.InvalidRecord, "an idempotent batch needs a sequence number")
	case b.Codec() > Zstd:
		return refuse(kerr.UnknownServerError, "unknown compression codec")
	}
	return nil
}

// checkRecords checks the records, and unpacks them if need be.
func checkRecords(b Batch, r Rules) (Batch, error) {
	w := newWalk(r, b.BaseTimestamp())
	var err error
	if b.Codec() == None {
		err = w.plain(b)
	} else {
		err = w.packed(b)
	}
	if err == nil {
		err = w.refusal()
	}
	if err != nil {
		return nil, err
	}
	if r.Forced && r.Force != b.Codec() {
		if b, err = recode(b, r); err != nil {
			return nil, err
		}
	}
	b.SetTimestamps(r.LogAppendTime, w.maxTimestamp())
	return b, nil
}

const unfilled = "the records do not fill the batch as announced"

// noTimestamp is the timestamp of a record without one.
const noTimestamp = -1

// walk is the results of a walk over the records.
type walk struct {
	rules Rules
	base  int64
	// Timestamps outside earliest to latest are refused.
	earliest, latest int64

	maxTime        int64
	index          int32
	offsetGap      bool    // offset deltas do not count 0, 1, 2, ...
	timestampFault bool    // a timestamp is out of range
	faults         []Fault // the first maxNamed of them
	count          int     // of all faults
}

func newWalk(r Rules, base int64) walk {
	earliest, latest := within(r)
	return walk{rules: r, base: base, earliest: earliest, latest: latest, maxTime: noTimestamp}
}

// maxNamed is how many faulty records are named: the answer has a text for each.
const maxNamed = 100

func (w *walk) note(r Summary) {
	ts := w.base + r.TimestampDelta
	w.maxTime = max(w.maxTime, ts)
	w.offsetGap = w.offsetGap || r.OffsetDelta != w.index
	switch {
	case r.NullKey && w.rules.Compacted:
		w.fault(Fault{NullKey: true})
	case (ts < w.earliest || ts > w.latest) && ts != noTimestamp:
		w.timestampFault = true
		w.fault(Fault{Timestamp: ts, Offset: int64(r.OffsetDelta), Earliest: w.earliest, Latest: w.latest})
	}
	w.index++
}

func (w *walk) fault(f Fault) {
	if w.count++; len(w.faults) < maxNamed {
		f.Index = w.index
		w.faults = append(w.faults, f)
	}
}

func (w *walk) plain(b Batch) error {
	for rec, err := range Records(b.Payload(), b.Count()) {
		if err != nil {
			return refuse(kerr.InvalidRecord, unfilled)
		}
		w.note(Summary{rec.TimestampDelta, rec.OffsetDelta, rec.Key == nil})
	}
	w.offsetGap = false // Kafka does not look at the offset deltas of plain records
	return nil
}

func (w *walk) packed(b Batch) error {
	in, err := openWithSlot(b.Codec(), b.Payload())
	if err != nil {
		return unreadable(b, err)
	}
	defer releaseSlot()
	s := newScanner(in, unpackBound(len(b.Payload())))
	defer s.release()
	for range b.Count() {
		r, ok := s.record()
		if !ok {
			return unreadable(b, s.err)
		}
		w.note(r)
	}
	if err := s.end(); err != nil {
		return unreadable(b, err)
	}
	return nil
}

func unreadable(b Batch, err error) error {
	switch {
	case errors.Is(err, ErrRecords):
		return refuse(kerr.InvalidRecord, unfilled)
	case errors.Is(err, ErrTooLarge):
		return refuse(kerr.InvalidRecord, err.Error())
	default:
		return refuse(kerr.InvalidRecord, "the records are not "+b.Codec().String()+" data as clients read it: "+err.Error())
	}
}

// refusal returns the error of a batch with faulty records, or nil.
func (w *walk) refusal() error {
	r := &RefusedError{Code: kerr.InvalidRecord, Faults: w.faults, FaultCount: w.count}
	switch {
	case w.timestampFault:
		r.Code, r.Message = kerr.InvalidTimestamp, "One or more records have been rejected due to invalid timestamp"
	case w.count > 0:
		r.Message = "One or more records have been rejected due to"
	case w.offsetGap:
		r.Message = "the offset deltas of a compressed batch must count from 0"
	default:
		return nil
	}
	return r
}

// maxTimestamp returns the max timestamp that the header must have.
func (w *walk) maxTimestamp() int64 {
	if w.rules.LogAppendTime {
		return w.rules.Now
	}
	return w.maxTime
}

// within returns the earliest and the latest timestamp that the rules allow.
func within(r Rules) (earliest, latest int64) {
	if r.LogAppendTime { // the records' timestamps do not count
		return math.MinInt64, math.MaxInt64
	}
	earliest, latest = r.Now-r.BeforeMax, r.Now+r.AfterMax
	if latest < r.Now { // the sum does not fit an int64
		latest = math.MaxInt64
	}
	if earliest > r.Now {
		earliest = math.MinInt64
	}
	return earliest, latest
}
