package mailer_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/botehq/bote/examples/notify/internal/mailer"
	"github.com/botehq/bote/examples/notify/message"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var mail = message.Email{From: "a@example.com", To: "b@example.com", Subject: "s", Body: "b"}

// server answers each command of one conversation with the reply for the command's
// first word, and hangs when that reply is empty.
func server(t *testing.T, replies map[string]string) string {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var done sync.WaitGroup
	done.Go(func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		talk(conn, replies)
	})
	t.Cleanup(func() {
		_ = ln.Close()
		done.Wait()
	})
	return ln.Addr().String()
}

func talk(conn net.Conn, replies map[string]string) {
	say := func(word, otherwise string) bool {
		reply, ok := replies[word]
		if !ok {
			reply = otherwise
		}
		_, err := fmt.Fprintf(conn, "%s\r\n", reply)
		return err == nil && reply != ""
	}
	if !say("", "220 here") {
		return
	}
	for in := bufio.NewScanner(conn); in.Scan(); {
		word, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		switch word {
		case "DATA":
			if _, refused := replies[word]; refused {
				say(word, "")
				continue
			}
			say(word, "354 go on")
			for in.Scan() && in.Text() != "." {
			}
			say(".", "250 kept")
		case "QUIT":
			say(word, "221 bye")
			return
		default:
			say(word, "250 fine")
		}
	}
}

func send(t *testing.T, replies map[string]string) error {
	t.Helper()
	m, err := mailer.New(server(t, replies), mailer.Auth{})
	require.NoError(t, err)
	return m.Send(t.Context(), "id-1", mail)
}

func TestWhatIsPermanent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replies   map[string]string
		permanent bool
	}{
		"greeting 4xx":  {map[string]string{"": "421 come back"}, false},
		"greeting 5xx":  {map[string]string{"": "554 go away"}, true},
		"sender 4xx":    {map[string]string{"MAIL": "451 not now"}, false},
		"sender 5xx":    {map[string]string{"MAIL": "553 no"}, true},
		"receiver 4xx":  {map[string]string{"RCPT": "450 busy"}, false},
		"receiver 5xx":  {map[string]string{"RCPT": "550 nobody"}, true},
		"data 4xx":      {map[string]string{"DATA": "452 full"}, false},
		"data 5xx":      {map[string]string{"DATA": "554 never"}, true},
		"end of mail 4": {map[string]string{".": "451 not now"}, false},
		"end of mail 5": {map[string]string{".": "550 never"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := send(t, c.replies)
			require.Error(t, err)
			require.Equal(t, c.permanent, mailer.Permanent(err), err)
		})
	}
}

func TestSent(t *testing.T) {
	t.Parallel()
	require.NoError(t, send(t, nil))
	require.NoError(t, send(t, map[string]string{"QUIT": "500 what?"}), "a mail that was taken is sent, whatever the farewell")
}

func TestNetworkIsTemporary(t *testing.T) {
	t.Parallel()
	m, err := mailer.New("127.0.0.1:1", mailer.Auth{})
	require.NoError(t, err)
	err = m.Send(t.Context(), "id-1", mail)
	require.Error(t, err)
	require.False(t, mailer.Permanent(err), err)
}

func TestBadInputIsPermanent(t *testing.T) {
	t.Parallel()
	m, err := mailer.New("127.0.0.1:1", mailer.Auth{})
	require.NoError(t, err)
	require.True(t, mailer.Permanent(m.Send(t.Context(), "id-1", message.Email{From: "nobody", To: "b@example.com"})))
	require.True(t, mailer.Permanent(m.Send(t.Context(), "id-1", message.Email{From: "a@example.com"})))
}

// TestCancel ends a conversation with a server that says nothing.
func TestCancel(t *testing.T) {
	t.Parallel()
	m, err := mailer.New(server(t, map[string]string{"MAIL": ""}), mailer.Auth{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = m.Send(ctx, "id-1", mail)
	require.Error(t, err)
	require.False(t, mailer.Permanent(err), err)
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost", "localhost:smtp", "localhost:0", "localhost:70000"} {
		_, err := mailer.New(bad, mailer.Auth{})
		require.Error(t, err, "%q", bad)
	}
}
