package record

import (
	"errors"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Recode returns the batch with its unpacked records packed by another codec. The CRC
// is renewed; everything else in the header stays.
func Recode(b Batch, unpacked []byte, c Codec, level int) (Batch, error) {
	packed, err := Compress(c, level, unpacked)
	if err != nil {
		return nil, err
	}
	out := make(Batch, HeaderSize, HeaderSize+len(packed))
	copy(out, b)
	out = append(out, packed...)
	out.finish(b.Attributes()&^attrCodec | int16(c))
	return out, nil
}

// recode packs a batch with the codec that the rules force. It never holds all
// unpacked records, and stops when the result gets too large.
func recode(b Batch, r Rules) (Batch, error) {
	in, err := openWithSlot(b.Codec(), b.Payload())
	if err != nil {
		return nil, refuse(kerr.UnknownServerError, err.Error())
	}
	defer releaseSlot()
	defer in.release()
	out := bounded{b: append(make(Batch, 0, HeaderSize+len(b.Payload())), b[:HeaderSize]...), most: r.MaxBytes}
	w, err := packer(r.Force, r.Level, &out)
	if err == nil {
		if _, err = io.Copy(w, io.LimitReader(&streamReader{in: in}, unpackLimit)); err == nil {
			err = w.Close()
		}
	}
	if errors.Is(err, errFull) {
		return nil, refuse(kerr.MessageTooLarge, kerr.MessageTooLarge.Description)
	}
	if err != nil {
		return nil, refuse(kerr.UnknownServerError, err.Error())
	}
	out.b.finish(b.Attributes()&^attrCodec | int16(r.Force))
	return out.b, nil
}

var errFull = errors.New("larger than the limit")

// bounded collects up to most bytes.
type bounded struct {
	b    Batch
	most int
}

func (w *bounded) Write(p []byte) (int, error) {
	if len(w.b)+len(p) > w.most {
		return 0, errFull
	}
	w.b = append(w.b, p...)
	return len(p), nil
}
