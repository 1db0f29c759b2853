package ops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits of the HTTP server. A CPU profile takes 30 seconds by default.
const (
	headerTime = 5 * time.Second
	answerTime = 2 * time.Minute
	headerSize = 16 << 10
)

// Server serves the pages on one address. It owns the goroutines of its
// http.Server.
type Server struct {
	ln   net.Listener
	http *http.Server
	wg   sync.WaitGroup
}

// Listen binds an address, "host:port", and serves the pages there until Close.
// Profiles are served on loopback addresses only.
func Listen(ctx context.Context, address string, c Config, log *slog.Logger) (*Server, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("console listener: %w", err)
	}
	s := &Server{ln: ln, http: &http.Server{
		Handler: Handler(c, loopback(ln.Addr())), ReadHeaderTimeout: headerTime, ReadTimeout: answerTime, WriteTimeout: answerTime,
		IdleTimeout: answerTime, MaxHeaderBytes: headerSize, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
	s.wg.Go(func() {
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("console listener ended", slog.Any("err", err))
		}
	})
	return s, nil
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// Addr returns the bound address, "host:port".
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close ends all connections and waits for the goroutine that accepts them. It may be
// called twice.
func (s *Server) Close() {
	_ = s.http.Close() // closes the listener; its error tells nothing new
	s.wg.Wait()
}
