package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/examples/notify/internal/app"
	"github.com/botehq/bote/examples/notify/internal/command"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func english(string) string { return "" }

func korean(name string) string {
	if name == "LANG" {
		return "ko_KR.UTF-8"
	}
	return ""
}

// freePorts are options for a process that runs beside others.
var freePorts = []string{"--kafka-port", "0", "--api-port", "0", "--worker-port", "0", "--smtp-port", "0"}

// running is a process that has printed its addresses.
type running struct {
	at   app.Addresses
	stop func() (code int, stderr string)
}

func start(t *testing.T, args ...string) running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	var stderr bytes.Buffer
	done := make(chan int, 1)
	begun := time.Now()
	go func() {
		done <- command.Main(ctx, append(args, append(freePorts, "--print-json")...), w, &stderr, english)
		_ = w.Close()
	}()
	var p running
	require.NoError(t, json.NewDecoder(r).Decode(&p.at))
	require.Less(t, time.Since(begun), 5*time.Second, "the addresses come soon")
	go func() { _, _ = io.Copy(io.Discard, r) }()
	p.stop = func() (int, string) {
		cancel()
		select {
		case code := <-done:
			return code, stderr.String()
		case <-time.After(patience):
			t.Fatal("the command does not end")
			return 0, ""
		}
	}
	return p
}

func post(t *testing.T, url, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Prefer", "wait=10")
	return send(t, req)
}

func get(t *testing.T, url string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return send(t, req)
}

func send(t *testing.T, req *http.Request) (int, string, http.Header) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(data), resp.Header
}

const mail = `{"from":"sender@example.com","to":"receiver@example.com","subject":"테스트 제목","body":"테스트 내용"}`

// TestDataSurvives stops the process and starts it again on the same directory.
func TestDataSurvives(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "notify-data")
	p := start(t, "--data", data)
	require.Equal(t, data, p.at.Data)
	code, body, header := post(t, p.at.API+"/api/emails/send", mail)
	require.Equal(t, http.StatusOK, code, body)
	exit, stderr := p.stop()
	require.Zero(t, exit)
	require.Empty(t, stderr, "nothing to warn of")

	p = start(t, "--data", data)
	code, again, _ := get(t, p.at.API+header.Get("Location"))
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, body, again)
	_, messages, _ := get(t, p.at.Mailbox+"/api/messages")
	require.Contains(t, messages, `"messages":[]`, "nothing is sent twice")
	exit, _ = p.stop()
	require.Zero(t, exit)
}

func TestEphemeralLeavesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, "--ephemeral")
	require.DirExists(t, p.at.Data)
	exit, _ := p.stop()
	require.Zero(t, exit)
	require.NoDirExists(t, p.at.Data)
}

func TestSampleTraffic(t *testing.T) {
	t.Parallel()
	p := start(t, "--ephemeral", "--sample-traffic")
	require.Eventually(t, func() bool {
		_, body, _ := get(t, p.at.Mailbox+"/api/messages")
		return strings.Contains(body, `"kind":"dead-letter"`) && strings.Contains(body, `"kind":"sms"`)
	}, patience, 100*time.Millisecond)
	exit, _ := p.stop()
	require.Zero(t, exit)
}

// TestTakenPorts: each port in turn is in use.
func TestTakenPorts(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	taken := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	for _, flag := range []string{"--kafka-port", "--api-port", "--worker-port", "--smtp-port"} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"--data", t.TempDir()}, freePorts...)
		exit := command.Main(t.Context(), append(args, flag, taken), &stdout, &stderr, english)
		require.Equal(t, 1, exit, flag)
		require.Contains(t, stderr.String(), flag)
		require.Contains(t, stderr.String(), taken)
		require.Empty(t, stdout.String())
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"api"},
		{"worker"},
		{"other"},
		{"--no-such-flag"},
		{"--lang", "fr"},
		{"--log-level", "loud"},
		{"--retry-delay", "0s"},
		{"api", "-b", "localhost:1", "--sample-traffic"},
	} {
		var stdout, stderr bytes.Buffer
		require.Equal(t, 2, command.Main(t.Context(), args, &stdout, &stderr, english), "%v", args)
		require.True(t, strings.HasPrefix(stderr.String(), "error: "), stderr.String())
	}
	var help bytes.Buffer
	require.Zero(t, command.Main(t.Context(), []string{"--help"}, &help, io.Discard, korean))
	require.Contains(t, help.String(), "API 포트")
}

// TestBanner runs the API alone against a cluster that is not there. It still prints
// its address, because it will work when the cluster comes.
func TestBanner(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  func(string) string
		want string
		away string
	}{"english": {english, "Ctrl-C lets work in progress finish, then exits.", "no broker answers"}, "korean": {korean, "Ctrl-C를 누르면 처리 중인 일을 마치고 종료합니다.", "응답하는 브로커가 없습니다"}} {
		ctx, cancel := context.WithCancel(t.Context())
		r, w := io.Pipe()
		done := make(chan int, 1)
		go func() {
			done <- command.Main(ctx, []string{"api", "-b", "127.0.0.1:1", "--api-port", "0"}, w, io.Discard, c.env)
			_ = w.Close()
		}()
		var banner strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(banner.String(), c.want) {
			n, err := r.Read(buf)
			require.NoError(t, err, name)
			banner.Write(buf[:n])
		}
		require.NotContains(t, banner.String(), "curl", "nothing can be sent yet")
		require.Contains(t, banner.String(), c.away, name)
		require.Contains(t, banner.String(), "127.0.0.1:1", name)
		require.NotContains(t, banner.String(), "Mailbox", name)
		cancel()
		require.Zero(t, <-done, name)
	}
}
