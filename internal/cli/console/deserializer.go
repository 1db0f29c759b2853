package console

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
)

const serializationPackage = "org.apache.kafka.common.serialization."

// deserializer appends data in readable form to b. A nil deserializer leaves the bytes unchanged.
type deserializer func(b, data []byte) ([]byte, error)

// newDeserializer returns the deserializer for the name of one of Kafka's classes. For an unknown name it prints an error and
// returns nil.
func newDeserializer(s *tool.Streams, class string) deserializer {
	switch strings.TrimPrefix(class, serializationPackage) {
	case "", "StringDeserializer", "ByteArrayDeserializer": // Kafka's tool prints the address of a Java array
		return nil
	case "BytesDeserializer":
		return showBytes
	case "ByteBufferDeserializer":
		return func(b, data []byte) ([]byte, error) {
			return fmt.Appendf(b, "java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", len(data), len(data)), nil
		}
	case "BooleanDeserializer":
		return readBoolean
	case "IntegerDeserializer":
		return fixed(4, "IntegerDeserializer", func(d []byte) string { return strconv.Itoa(int(int32(binary.BigEndian.Uint32(d)))) })
	case "LongDeserializer":
		return fixed(8, "LongDeserializer", func(d []byte) string { return strconv.FormatInt(int64(binary.BigEndian.Uint64(d)), 10) })
	case "ShortDeserializer":
		return fixed(2, "ShortDeserializer", func(d []byte) string { return strconv.Itoa(int(int16(binary.BigEndian.Uint16(d)))) })
	case "FloatDeserializer":
		return fixed(4, "Deserializer", func(d []byte) string {
			return config.FormatDouble(float64(math.Float32frombits(binary.BigEndian.Uint32(d))), 32)
		})
	case "DoubleDeserializer":
		return fixed(8, "Deserializer", func(d []byte) string {
			return config.FormatDouble(math.Float64frombits(binary.BigEndian.Uint64(d)), 64)
		})
	case "UUIDDeserializer":
		return readUUID
	case "VoidDeserializer":
		return func([]byte, []byte) ([]byte, error) {
			return nil, exception.New(exception.IllegalArgument, "Data should be null for a VoidDeserializer.")
		}
	}
	s.Log(tool.LevelError, classDefaultFormatter, "Unable to instantiate a deserializer from %s", class)
	s.Remark("java.lang.ClassNotFoundException: %s\n", class)
	return nil
}

func fixed(size int, name string, show func([]byte) string) deserializer {
	return func(b, data []byte) ([]byte, error) {
		if len(data) != size {
			return nil, serializationError(fmt.Sprintf("Size of data received by %s is not %d", name, size))
		}
		return append(b, show(data)...), nil
	}
}

// readUUID reads a UUID as text, which is what Kafka's serializer writes.
func readUUID(b, data []byte) ([]byte, error) {
	parts := strings.Split(string(data), "-")
	if len(data) != 36 || len(parts) != 5 {
		return nil, serializationError("Error parsing data into UUID")
	}
	for _, p := range parts {
		if _, err := strconv.ParseUint(p, 16, 64); err != nil {
			return nil, serializationError("Error parsing data into UUID")
		}
	}
	return append(b, strings.ToLower(string(data))...), nil
}

// showBytes is Kafka's Bytes.toString. It writes the backslash and all bytes that are not printable ASCII as \xHH.
func showBytes(b, data []byte) ([]byte, error) {
	for _, c := range data {
		if c >= ' ' && c <= '~' && c != '\\' {
			b = append(b, c)
			continue
		}
		b = fmt.Appendf(b, `\x%02X`, c)
	}
	return b, nil
}

func readBoolean(b, data []byte) ([]byte, error) {
	if len(data) != 1 {
		return nil, serializationError("Size of data received by BooleanDeserializer is not 1")
	}
	if data[0] > 1 {
		return nil, serializationError(fmt.Sprintf("Unexpected byte received by BooleanDeserializer: %d", int8(data[0])))
	}
	return strconv.AppendBool(b, data[0] == 1), nil
}

func serializationError(text string) error {
	return exception.New(exception.CommonErrors+"SerializationException", "%s", text)
}
