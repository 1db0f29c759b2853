// Package web runs an HTTP server that finishes its requests before it stops, and
// gives every request of a process the same metrics. It owns no route.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerTimeout = 10 * time.Second
	drainTimeout  = 10 * time.Second
)

// Server serves one listener.
type Server struct {
	ln       net.Listener
	srv      *http.Server
	draining chan struct{}
}

// NewServer makes a server on a listener. The server owns the listener from now on.
func NewServer(ln net.Listener, log *slog.Logger) *Server {
	s := &Server{ln: ln, draining: make(chan struct{})}
	s.srv = &http.Server{
		ReadHeaderTimeout: headerTimeout,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return s
}

// Handle sets what answers requests. It must be called before Run.
func (s *Server) Handle(h http.Handler) { s.srv.Handler = h }

// Draining is closed when the server begins to stop. Answers without an end, such as
// streams, have to end then.
func (s *Server) Draining() <-chan struct{} { return s.draining }

// Addr is the bound address.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close frees the address of a server that will not run.
func (s *Server) Close() error {
	if err := s.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Run serves until ctx ends, then lets running requests finish.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.srv.Serve(s.ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	close(s.draining)
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := s.srv.Shutdown(limit)
	if err != nil {
		err = errors.Join(fmt.Errorf("drain %s: %w", s.Addr(), err), s.srv.Close())
	}
	if served := <-served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, fmt.Errorf("serve %s: %w", s.Addr(), served))
	}
	return err
}
