package dumplog

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/record"
)

// decoder formats the key and the payload of a data record. The caller leaves out empty texts.
type decoder func(r record.Record) (key, payload string, err error)

// plainDecoder shows key and payload as text.
func plainDecoder(r record.Record) (key, payload string, err error) {
	if r.Key != nil {
		key = " key: " + string(r.Key)
	}
	if r.Value != nil {
		payload = " payload: " + string(r.Value)
	}
	return key, payload, nil
}

// internalDecoder shows records of an internal topic as JSON. For a type that is not in the table it prints the type's number.
func internalDecoder(types map[int16]recordType) decoder {
	return func(r record.Record) (string, string, error) {
		if len(r.Key) < 2 {
			return plainDecoder(r)
		}
		kind := int16(binary.BigEndian.Uint16(r.Key))
		t, ok := types[kind]
		if !ok {
			return fmt.Sprintf(" Unknown record type %d at offset, skipping.", kind), "", nil
		}
		key, err := t.key.json(r.Key[2:], kind)
		if err != nil {
			return "", "", fmt.Errorf("key of kind %d: %w", kind, err)
		}
		key = fmt.Sprintf(` key: {"type":"%d","data":%s}`, kind, key)
		if r.Value == nil {
			return key, " payload: <DELETE>", nil
		}
		if len(r.Value) < 2 {
			return "", "", fmt.Errorf("value of kind %d: %w", kind, errMessage)
		}
		version := int16(binary.BigEndian.Uint16(r.Value))
		value, err := t.valueJSON(r.Value, version)
		if err != nil {
			return "", "", fmt.Errorf("value of kind %d: %w", kind, err)
		}
		return key, fmt.Sprintf(` payload: {"version":"%d","data":%s}`, version, value), nil
	}
}

// valueJSON formats a value. The value of a classic group holds the subscriptions and assignments of members as bytes. If they
// follow the consumer protocol, they are decoded too.
func (t recordType) valueJSON(raw []byte, version int16) (string, error) {
	text, err := t.value.json(raw[2:], version)
	if err != nil {
		return "", err
	}
	var group kmsg.GroupMetadataValue
	if !strings.HasPrefix(text, `{"protocolType":"consumer"`) {
		return text, nil
	}
	if err := group.ReadFrom(raw); err != nil {
		return "", fmt.Errorf("members of a group: %w", err)
	}
	for _, m := range group.Members {
		text = replaceBytes(text, "subscription", m.Subscription, consumerSubscription())
		text = replaceBytes(text, "assignment", m.Assignment, consumerAssignment())
	}
	return text, nil
}

// replaceBytes replaces the bytes in a field by the JSON of the message in them, if they are such a message.
func replaceBytes(text, name string, raw []byte, m message) string {
	if len(raw) < 2 {
		return text
	}
	inner, err := m.json(raw[2:], int16(binary.BigEndian.Uint16(raw)))
	if err != nil {
		return text
	}
	shown, err := tool.JSON(raw)
	if err != nil {
		return text
	}
	return strings.Replace(text, strconv.Quote(name)+":"+shown, strconv.Quote(name)+":"+inner, 1)
}

// metadataDecoder shows records of the metadata log, which consist of a frame version, the type, the version, and the message.
func metadataDecoder(r record.Record) (key, payload string, err error) {
	b := kbin.Reader{Src: r.Value}
	frame, kind, version := b.Uvarint(), b.Uvarint(), b.Uvarint()
	if !b.Ok() || frame > 1 {
		return "", "", fmt.Errorf("metadata record: %w", errMessage)
	}
	t, ok := metadataRecords()[kind]
	if !ok {
		return "", fmt.Sprintf(` payload: {"type":"%d","version":%d,"data":"%x"}`, kind, version, b.Src), nil
	}
	text, err := t.value.json(b.Src, int16(version))
	if err != nil {
		return "", "", fmt.Errorf("metadata record of kind %d: %w", kind, err)
	}
	return "", fmt.Sprintf(` payload: {"type":"%s","version":%d,"data":%s}`, t.name, version, text), nil
}

// controlText formats a control record.
func controlText(r record.Record) string {
	if len(r.Key) < 4 {
		return " unreadable control record"
	}
	kind := int16(binary.BigEndian.Uint16(r.Key[2:]))
	if kind <= 1 && len(r.Value) >= 6 { // transaction markers
		return fmt.Sprintf(" endTxnMarker: %s coordinatorEpoch: %d", [...]string{"ABORT", "COMMIT"}[max(kind, 0)], int32(binary.BigEndian.Uint32(r.Value[2:])))
	}
	t, ok := controlRecords()[kind]
	if !ok || len(r.Value) < 2 {
		return fmt.Sprintf(" controlType: UNKNOWN(%d)", kind)
	}
	text, err := t.value.json(r.Value, int16(binary.BigEndian.Uint16(r.Value)))
	if err != nil {
		return fmt.Sprintf(" unreadable %s", t.name)
	}
	return " " + t.name + " " + text
}
