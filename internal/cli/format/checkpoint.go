package format

import (
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/record"
)

// The snapshots that format writes into a directory, in Kafka's format: batches of metadata records between batches of control
// records. They hold the first metadata of a new cluster. bote's broker does not need them; Kafka can read them.

// Types of control records and of metadata records. They reach disk.
const (
	ControlHeader  = 3
	ControlFooter  = 4
	ControlVersion = 5
	ControlVoters  = 6

	MetadataUserScram    = 11
	MetadataFeatureLevel = 12
)

// voter is a controller of the quorum, as given to format.
type voter struct {
	id        int32
	host      string
	port      uint16
	directory [16]byte
}

// bootstrapSnapshot makes bootstrap.checkpoint: the features, and the users of --add-scram.
func bootstrapSnapshot(now int64, f featureLevels, users []scramUser) []byte {
	var data []record.KeyValue
	for _, name := range f.names() {
		body := appendCompact([]byte{1, MetadataFeatureLevel, 0}, []byte(name))
		body = binary.BigEndian.AppendUint16(body, uint16(f.level(name)))
		data = append(data, record.KeyValue{Value: append(body, 0)})
	}
	for _, u := range users {
		body := appendCompact([]byte{1, MetadataUserScram, 0}, []byte(u.name))
		body = append(body, byte(u.mechanism))
		for _, part := range [][]byte{u.salt, u.storedKey, u.serverKey} {
			body = appendCompact(body, part)
		}
		body = binary.BigEndian.AppendUint32(body, uint32(u.iterations))
		data = append(data, record.KeyValue{Value: append(body, 0)})
	}
	var w snapshotWriter
	w.now = now
	w.control(controlRecord(ControlHeader, make([]byte, 8)))
	w.batch(record.Build(now, data...), len(data))
	w.control(controlRecord(ControlFooter, nil))
	return w.out
}

// quorumSnapshot makes the first snapshot of a dynamic quorum's metadata log (KIP-853), which lists the voters.
func quorumSnapshot(now int64, kraft int16, listener string, voters []voter) []byte {
	body := binary.AppendUvarint(nil, uint64(len(voters))+1)
	for _, v := range voters {
		body = binary.BigEndian.AppendUint32(body, uint32(v.id))
		body = append(body, v.directory[:]...)
		body = append(body, 2) // one endpoint
		body = appendCompact(body, []byte(listener))
		body = appendCompact(body, []byte(v.host))
		body = binary.BigEndian.AppendUint16(body, v.port)
		body = append(body, 0)
		body = append(body, 0, 0, 0, 1, 0) // kraft.version 0 to 1
		body = append(body, 0)
	}
	var w snapshotWriter
	w.now = now
	w.control(
		controlRecord(ControlHeader, binary.BigEndian.AppendUint64(nil, uint64(now))),
		controlRecord(ControlVersion, binary.BigEndian.AppendUint16(nil, uint16(kraft))),
		controlRecord(ControlVoters, body),
	)
	w.control(controlRecord(ControlFooter, nil))
	return w.out
}

// controlRecord makes a control record of version 0. Its value begins with the version and ends with an empty tag section.
func controlRecord(kind byte, body []byte) record.KeyValue {
	value := append([]byte{0, 0}, body...)
	return record.KeyValue{Key: []byte{0, 0, 0, kind}, Value: append(value, 0)}
}

// snapshotWriter collects batches with consecutive offsets.
type snapshotWriter struct {
	now  int64
	next int64
	out  []byte
}

func (w *snapshotWriter) control(records ...record.KeyValue) {
	const attributesAt, isControl = 22, 0x20 // the low byte of a batch's attributes, its control bit
	b := record.Build(w.now, records...)
	b[attributesAt] |= isControl
	w.batch(b, len(records))
}

func (w *snapshotWriter) batch(b record.Batch, count int) {
	b.SetBaseOffset(w.next)
	b.SetLeaderEpoch(0)
	b.SealCRC()
	w.next += int64(count)
	w.out = append(w.out, b...)
}

func appendCompact(dst, p []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(p))+1), p...)
}

// parseVoters reads a list of id@host:port:directory-id, separated by commas. The errors are Kafka's.
func parseVoters(text string) ([]voter, error) {
	var list []voter
	for part := range strings.SplitSeq(text, ",") {
		v, err := parseOneVoter(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func parseOneVoter(text string) (voter, error) {
	var v voter
	refused := func(why string) (voter, error) { return v, exception.New(exception.IllegalArgument, "%s", why) }
	id, rest, ok := strings.Cut(text, "@")
	if !ok {
		return refused("No @ found in dynamic voter string.")
	}
	n, err := strconv.ParseInt(id, 10, 32)
	if err != nil {
		return refused("Failed to parse node id in dynamic voter string.")
	}
	if n < 0 {
		return refused("Invalid negative node id " + id + " in dynamic voter string.")
	}
	if rest == "" {
		return refused("No hostname found after node id.")
	}
	host, rest, ok := cutHost(rest)
	if !ok {
		return refused("No colon following hostname could be found.")
	}
	port, directory, ok := strings.Cut(rest, ":")
	if !ok {
		return refused("No colon following port could be found.")
	}
	p, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return refused("Failed to parse port in dynamic voter string.")
	}
	raw, err := base64.RawURLEncoding.DecodeString(directory)
	if err != nil || len(raw) != len(v.directory) {
		return refused("Failed to parse directory ID in dynamic voter string.")
	}
	v = voter{id: int32(n), host: host, port: uint16(p), directory: [16]byte(raw)}
	return v, nil
}

// cutHost splits off the host, which may be an IPv6 address in brackets.
func cutHost(text string) (host, rest string, ok bool) {
	if inner, bracketed := strings.CutPrefix(text, "["); bracketed {
		return strings.Cut(inner, "]:")
	}
	return strings.Cut(text, ":")
}
