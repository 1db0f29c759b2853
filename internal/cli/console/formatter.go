package console

import (
	"io"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/botehq/bote/internal/cli/tool"
)

// The formatters of kafka-console-consumer by their class names.
const (
	formatterPackage      = "org.apache.kafka.tools.consumer."
	classDefaultFormatter = formatterPackage + "DefaultMessageFormatter"
	classLoggingFormatter = formatterPackage + "LoggingMessageFormatter"
	classNoOpFormatter    = formatterPackage + "NoOpMessageFormatter"
	classOffsetsFormatter = formatterPackage + "OffsetsMessageFormatter"
	classGroupFormatter   = formatterPackage + "GroupMetadataMessageFormatter"
	classTxnFormatter     = formatterPackage + "TransactionLogMessageFormatter"
)

// formatter writes a record. An *exception.Error means that this record cannot be shown; any other error ends the output.
type formatter interface {
	write(w io.Writer, rec *kgo.Record) error
}

func newFormatter(s *tool.Streams, class string, settings tool.Properties) (formatter, bool) {
	switch class {
	case classDefaultFormatter:
		return newDefaultFormatter(s, settings), true
	case classLoggingFormatter:
		// Kafka's formatter also logs each record at INFO. Its tools do not show that level.
		return newDefaultFormatter(s, tool.Properties{}), true
	case classNoOpFormatter:
		return noFormatter{}, true
	case classOffsetsFormatter:
		return offsetsFormatter{}, true
	case classGroupFormatter:
		return groupFormatter{}, true
	case classTxnFormatter:
		return txnFormatter{}, true
	}
	return nil, false
}

type noFormatter struct{}

func (noFormatter) write(io.Writer, *kgo.Record) error { return nil }

// defaultFormatter writes the fields that the properties select, each followed by a separator. Without a deserializer, it
// writes the bytes of keys and values unchanged. It reuses one buffer for all records.
type defaultFormatter struct {
	timestamp, partition, offset, delivery, epoch, headers, key, value bool

	keySeparator, lineSeparator, headersSeparator, nullLiteral []byte

	readKey, readValue, readHeader deserializer

	buf []byte
}

func newDefaultFormatter(s *tool.Streams, settings tool.Properties) *defaultFormatter {
	raw := func(name, def string) []byte {
		if v, ok := settings[name]; ok {
			return []byte(v)
		}
		return []byte(def)
	}
	return &defaultFormatter{
		timestamp: settings.Yes("print.timestamp"), partition: settings.Yes("print.partition"), offset: settings.Yes("print.offset"),
		delivery: settings.Yes("print.delivery"), epoch: settings.Yes("print.epoch"), headers: settings.Yes("print.headers"),
		key: settings.Yes("print.key"), value: !settings.Has("print.value") || settings.Yes("print.value"),
		keySeparator: raw("key.separator", "\t"), lineSeparator: raw("line.separator", "\n"),
		headersSeparator: raw("headers.separator", ","), nullLiteral: raw("null.literal", "null"),
		readKey:    newDeserializer(s, settings.Get("key.deserializer", "")),
		readValue:  newDeserializer(s, settings.Get("value.deserializer", "")),
		readHeader: newDeserializer(s, settings.Get("headers.deserializer", "")),
	}
}

func (f *defaultFormatter) write(w io.Writer, rec *kgo.Record) error {
	b := f.buf[:0]
	if f.timestamp {
		b = append(f.appendTimestamp(b, rec), f.separator(f.partition || f.offset || f.delivery || f.epoch || f.headers || f.key || f.value)...)
	}
	if f.partition {
		b = append(strconv.AppendInt(append(b, "Partition:"...), int64(rec.Partition), 10), f.separator(f.offset || f.delivery || f.epoch || f.headers || f.key || f.value)...)
	}
	if f.offset {
		b = append(strconv.AppendInt(append(b, "Offset:"...), rec.Offset, 10), f.separator(f.delivery || f.epoch || f.headers || f.key || f.value)...)
	}
	if f.delivery {
		b = append(append(b, "Delivery:NOT_PRESENT"...), f.separator(f.epoch || f.headers || f.key || f.value)...)
	}
	if f.epoch {
		b = append(append(b, "Epoch:NOT_PRESENT"...), f.separator(f.headers || f.key || f.value)...)
	}
	b, err := f.appendFields(b, rec)
	if err != nil {
		return err
	}
	f.buf = b
	_, err = w.Write(b)
	return err //nolint:wrapcheck // the caller looks for a closed pipe
}

func (f *defaultFormatter) appendFields(b []byte, rec *kgo.Record) ([]byte, error) {
	var err error
	if f.headers {
		if b, err = f.appendHeaders(b, rec); err != nil {
			return b, err
		}
		b = append(b, f.separator(f.key || f.value)...)
	}
	if f.key {
		if b, err = f.appendValue(b, f.readKey, rec.Key); err != nil {
			return b, err
		}
		b = append(b, f.separator(f.value)...)
	}
	if f.value {
		if b, err = f.appendValue(b, f.readValue, rec.Value); err != nil {
			return b, err
		}
		b = append(b, f.lineSeparator...)
	}
	return b, nil
}

// separator returns the separator after a field: the key separator if another field follows, else the line separator.
func (f *defaultFormatter) separator(more bool) []byte {
	if more {
		return f.keySeparator
	}
	return f.lineSeparator
}

func (f *defaultFormatter) appendTimestamp(b []byte, rec *kgo.Record) []byte {
	switch rec.Attrs.TimestampType() {
	case 0:
		b = append(b, "CreateTime:"...)
	case 1:
		b = append(b, "LogAppendTime:"...)
	default:
		return append(b, "NO_TIMESTAMP"...)
	}
	return strconv.AppendInt(b, rec.Timestamp.UnixMilli(), 10)
}

func (f *defaultFormatter) appendHeaders(b []byte, rec *kgo.Record) ([]byte, error) {
	if len(rec.Headers) == 0 {
		return append(b, "NO_HEADERS"...), nil
	}
	var err error
	for i, h := range rec.Headers {
		if i > 0 {
			b = append(b, f.headersSeparator...)
		}
		b = append(append(b, h.Key...), ':')
		if b, err = f.appendValue(b, f.readHeader, h.Value); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (f *defaultFormatter) appendValue(b []byte, read deserializer, data []byte) ([]byte, error) {
	if data == nil {
		return append(b, f.nullLiteral...), nil
	}
	if read == nil {
		return append(b, data...), nil
	}
	return read(b, data)
}
