package record

import (
	"errors"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Rules are what a topic asks of the batches that producers send. Times are in
// milliseconds.
type Rules struct {
	MaxBytes      int   // of the whole batch as it came
	Compacted     bool  // a null key is refused
	LogAppendTime bool  // the broker's clock is every record's time
	Now           int64 // the broker's clock
	BeforeMax     int64 // how far before Now a timestamp may lie
	AfterMax      int64 // how far after Now a timestamp may lie
	// Force is the codec that the topic stores, when Forced.
	Forced bool
	Force  Codec
	Level  int
}

// RefusedError says why a batch is refused: the code that the client gets, a text,
// and the indexes of the records at fault if single records are.
type RefusedError struct {
	Code    *kerr.Error
	Message string
	Records []int32
}

// Error makes a RefusedError an error.
func (r *RefusedError) Error() string { return r.Code.Message + ": " + r.Message }

// Unwrap is the error that the client gets.
func (r *RefusedError) Unwrap() error { return r.Code }

func refuse(code *kerr.Error, message string) error {
	return &RefusedError{Code: code, Message: message}
}

// What a compressed batch may unpack to where the records must be looked at: so
// many times its size, but not less than the floor and not more than the limit. It
// bounds time, not memory: nothing holds the unpacked records.
const (
	unpackLimit = 256 << 20
	unpackFloor = 16 << 20
	unpackRatio = 1024
)

func unpackBound(packed int) int {
	return min(unpackLimit, max(unpackFloor, unpackRatio*packed))
}

// Check takes the record field of one partition of a produce request and
// returns its one batch, made ready for append but for offset and epoch. The
// result aliases field unless the topic forces another codec. Refused batches
// give a *RefusedError; bytes that cannot be walked at all give [ErrCorrupt], which
// fails the whole request.
//
// Uncompressed records are walked; compressed ones only if the topic asks for
// something that needs it. The order of the checks is that of Kafka's
// LogValidator.
func Check(field []byte, r Rules) (Batch, error) {
	b, err := only(field)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(b, r); err != nil {
		return nil, err
	}
	if b.Codec() == None || r.Compacted || r.Forced && r.Force != b.Codec() {
		return checkRecords(b, r)
	}
	if !looksLike(b.Codec(), b.Payload()) {
		return nil, refuse(kerr.InvalidRecord, "the records are not "+b.Codec().String()+" data")
	}
	if r.LogAppendTime {
		b.SetTimestamps(true, r.Now)
		return b, nil
	}
	if err := checkTime(b.MaxTimestamp(), r); err != nil {
		return nil, err
	}
	b.SetTimestamps(false, b.MaxTimestamp())
	return b, nil
}

// only returns the single batch of a record field. Bytes behind it that are no
// whole batch are cut off, as Kafka does.
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

// checkRecords walks the records, unpacking them if need be.
func checkRecords(b Batch, r Rules) (Batch, error) {
	w := walk{rules: r, base: b.BaseTimestamp(), maxTime: -1}
	var err error
	if b.Codec() == None {
		w.maxTime = math.MinInt64
		err = w.plain(b)
	} else {
		err = w.packed(b)
	}
	if err != nil {
		return nil, err
	}
	if len(w.keys)+len(w.times) > 0 {
		return nil, refuseRecords(w.keys, w.times)
	}
	if r.Forced && r.Force != b.Codec() {
		if b, err = recode(b, r); err != nil {
			return nil, err
		}
	}
	if r.LogAppendTime {
		w.maxTime = r.Now
	}
	b.SetTimestamps(r.LogAppendTime, w.maxTime)
	return b, nil
}

const unfilled = "the records do not fill the batch as announced"

// walk is what is found out on the way over the records.
type walk struct {
	rules       Rules
	base        int64
	maxTime     int64
	index       int32
	keys, times []int32 // indexes of records at fault, the first of them
}

// maxNamed is how many records at fault are named: the answer has a text for each.
const maxNamed = 100

func (w *walk) note(timestampDelta int64, nullKey bool) {
	ts := w.base + timestampDelta
	w.maxTime = max(w.maxTime, ts)
	if w.rules.Compacted && nullKey && len(w.keys) < maxNamed {
		w.keys = append(w.keys, w.index)
	}
	if !w.rules.LogAppendTime && len(w.times) < maxNamed && checkTime(ts, w.rules) != nil {
		w.times = append(w.times, w.index)
	}
	w.index++
}

func (w *walk) plain(b Batch) error {
	for rec, err := range Records(b.Payload(), b.Count()) {
		if err != nil {
			return refuse(kerr.InvalidRecord, unfilled)
		}
		w.note(rec.TimestampDelta, rec.Key == nil)
	}
	return nil
}

func (w *walk) packed(b Batch) error {
	for rec, err := range Scan(b, unpackBound(len(b.Payload()))) {
		if errors.Is(err, ErrRecords) {
			return refuse(kerr.InvalidRecord, unfilled)
		}
		if err != nil {
			return refuse(kerr.InvalidRecord, "the records are not "+b.Codec().String()+" data")
		}
		if rec.OffsetDelta != w.index {
			return refuse(kerr.InvalidRecord, "offset deltas of a compressed batch must be contiguous")
		}
		w.note(rec.TimestampDelta, rec.NullKey)
	}
	return nil
}

func refuseRecords(keys, times []int32) error {
	if len(times) > 0 {
		return &RefusedError{Code: kerr.InvalidTimestamp, Message: "the timestamp of a record is out of the topic's range", Records: append(times, keys...)}
	}
	return &RefusedError{Code: kerr.InvalidRecord, Message: "Compacted topic cannot accept message without key", Records: keys}
}

// checkTime refuses timestamps too far from the broker's clock; -1 means none.
func checkTime(ts int64, r Rules) error {
	if ts == -1 {
		return nil
	}
	// The distance may be more than an int64 holds.
	if ts < r.Now && uint64(r.Now)-uint64(ts) > uint64(r.BeforeMax) || ts > r.Now && uint64(ts)-uint64(r.Now) > uint64(r.AfterMax) {
		return &RefusedError{Code: kerr.InvalidTimestamp, Message: "the timestamp of a record is out of the topic's range", Records: []int32{0}}
	}
	return nil
}
