// Package traffic plays the part of the clients. It sends mails, texts and orders
// through the API as any client would, and some of them fail, so that a first look at
// the app shows something.
package traffic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/botehq/bote/examples/notify/internal/mailbox"
)

const (
	defaultPause   = time.Second
	requestTimeout = 10 * time.Second
	brokenShare    = 10 // one mail in this many has a sender that the mailbox refuses
)

// Traffic is a client that sends requests without end.
type Traffic struct {
	API    string // address of the API, with scheme
	Logger *slog.Logger
	Pause  time.Duration // between two requests; 0 is a second
}

// Run sends until ctx ends.
func (t Traffic) Run(ctx context.Context) error {
	pause := t.Pause
	if pause == 0 {
		pause = defaultPause
	}
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		path, body := request(n)
		if err := t.post(ctx, client, path, body); err != nil && ctx.Err() == nil {
			t.Logger.Warn("sample traffic was not taken", slog.String("path", path), slog.Any("err", err))
		}
	}
}

// request is the n-th request. Chance decides which mails fail, but the first one
// always does, so that nobody has to wait for a dead letter.
func request(n int) (path string, body map[string]any) {
	customer := fmt.Sprintf("customer%d@example.com", 1+rand.IntN(20))
	switch n % 4 {
	case 0:
		return "/api/orders", map[string]any{"userId": 1 + rand.IntN(20), "amount": 1000 * (1 + rand.IntN(90)), "email": customer}
	case 2:
		return "/api/sms", map[string]any{"from": "02-1234-5678", "to": fmt.Sprintf("010-0000-%04d", n%10000), "body": fmt.Sprintf("인증번호 %06d", rand.IntN(1000000))}
	}
	from := "newsletter@example.com"
	switch {
	case n == 1 || rand.IntN(brokenShare) == 0:
		from = mailbox.RefusedSender
	case rand.IntN(brokenShare) == 0:
		from = mailbox.BusySender
	}
	return "/api/emails", map[string]any{"from": from, "to": customer, "subject": fmt.Sprintf("소식 %d", n), "body": "안녕하세요. / Hello."}
}

func (t Traffic) post(ctx context.Context, client *http.Client, path string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.API+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("answer %s", resp.Status)
	}
	return nil
}
