package bare_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/botehq/bote/bench/bare"
	"github.com/botehq/bote/bench/load"
	"github.com/botehq/bote/internal/record"
)

// started is a bare program that ends with the test.
type started struct {
	dir                          string
	copyAddress, sendfileAddress string // see bare.Serve
}

func start(t *testing.T, synced bool) started {
	t.Helper()
	if synced && runtime.GOOS != "linux" {
		t.Skip("syncs only on Linux")
	}
	var listeners [2]net.Listener
	for i := range listeners {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		listeners[i] = listener
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	dir := t.TempDir()
	go func() { ended <- bare.Serve(ctx, dir, synced, listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	return started{dir: dir, copyAddress: listeners[0].Addr().String(), sendfileAddress: listeners[1].Addr().String()}
}

// TestTheRawClient: the raw client gets back as many records as it sent.
func TestTheRawClient(t *testing.T) {
	t.Parallel()
	for _, synced := range []bool{false, true} {
		p := start(t, synced)
		conn, err := net.Dial("tcp", p.copyAddress)
		require.NoError(t, err)
		require.NoError(t, load.Ask(conn), "the benchmark asks this when it waits for a broker")
		require.NoError(t, conn.Close())

		o := load.Defaults()
		o.Fresh, o.Records, o.Partitions, o.Batch, o.PID = false, 20_001, 7, 100_000, os.Getpid()
		for _, step := range []struct{ mode, address string }{{"raw-produce", p.copyAddress}, {"raw-consume", p.copyAddress}, {"raw-consume", p.sendfileAddress}} {
			if step.address == p.sendfileAddress && runtime.GOOS != "linux" {
				continue
			}
			o.Mode, o.Bootstrap = step.mode, step.address
			r, err := load.Run(t.Context(), o)
			require.NoError(t, err, step)
			require.InDelta(t, 20_001, r[load.Records], 0)
		}
		o.Partitions = 8 // the eighth is empty
		_, err = load.Run(t.Context(), o)
		require.NoError(t, err)
		o.Records++
		_, err = load.Run(t.Context(), o)
		require.ErrorContains(t, err, "the topic has 20001 records instead of 20002")

		var kept []byte
		for _, file := range []string{"load-0", "load-1", "load-2", "load-3", "load-4", "load-5", "load-6"} {
			text, err := os.ReadFile(filepath.Join(p.dir, file))
			require.NoError(t, err)
			kept = append(kept, text...)
		}
		var records int32
		for len(kept) > 0 {
			b, rest, err := record.Split(kept)
			require.NoError(t, err)
			require.True(t, b.ValidCRC())
			records += b.Count()
			kept = rest
		}
		require.EqualValues(t, 20_001, records)
	}
}

// TestADamagedBatch: a batch whose CRC is wrong is refused and not stored.
func TestADamagedBatch(t *testing.T) {
	t.Parallel()
	p := start(t, false)
	b := record.Build(1, record.KeyValue{Value: []byte("value")})
	require.Zero(t, produce(t, p.copyAddress, b))
	b[len(b)-2] ^= 1
	require.Equal(t, kerr.CorruptMessage.Code, produce(t, p.copyAddress, b))
	text, err := os.ReadFile(filepath.Join(p.dir, "t-0"))
	require.NoError(t, err)
	require.Len(t, text, len(b))
}

// produce sends a batch and returns the error code of its answer.
func produce(t *testing.T, address string, b record.Batch) int16 {
	t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Version = 8
	req.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: b}}}}
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, 1))
	require.NoError(t, err)
	answer := make([]byte, 1000)
	n, err := conn.Read(answer)
	require.NoError(t, err)
	resp := kmsg.NewPtrProduceResponse()
	resp.Version = 8
	require.NoError(t, resp.ReadFrom(answer[8:n]))
	return resp.Topics[0].Partitions[0].ErrorCode
}

// TestOtherRequests: a request that is not the raw client's ends the connection.
func TestOtherRequests(t *testing.T) {
	t.Parallel()
	p := start(t, false)
	for _, request := range [][]byte{
		kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrMetadataRequest(), 1),
		{0x7f, 0xff, 0xff, 0xff, 0, 1, 0, 11, 0, 0, 0, 1, 0xff, 0xff}, // a Fetch of two gigabytes
		{0, 0, 0, 2, 0, 1},
	} {
		conn, err := net.Dial("tcp", p.copyAddress)
		require.NoError(t, err)
		_, err = conn.Write(request)
		require.NoError(t, err)
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err)
		require.NoError(t, conn.Close())
	}
}

func TestTheCommand(t *testing.T) {
	t.Parallel()
	var remarks bytes.Buffer
	require.Zero(t, bare.Main(t.Context(), []string{"-h"}, &remarks))
	require.Contains(t, remarks.String(), "-sync")
	require.Equal(t, 2, bare.Main(t.Context(), []string{"-none"}, &remarks))
	o := bare.Options{Dir: t.TempDir(), Host: "192.0.2.1", Port: 9092} // an address for examples, which no machine has
	require.Equal(t, 1, bare.Main(t.Context(), o.Args(), &remarks))
	require.Contains(t, remarks.String(), "listen")
}
