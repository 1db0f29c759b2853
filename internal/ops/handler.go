package ops

import (
	"context"
	"fmt"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of readiness. Run must be safe for concurrent use, and return
// when its context ends.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Config is what the pages show.
type Config struct {
	Gatherer  prometheus.Gatherer // required
	Checks    []Check             // of readiness, in the order in which they run and are shown
	MaxSeries int                 // the largest number of series to show; default 20,000
}

const (
	// checkTime is how long all checks of readiness may take together: a check without
	// an answer by then has failed.
	checkTime = 900 * time.Millisecond

	maxSeries = 20_000
	// scrapes is how many requests for metrics are answered at the same time.
	scrapes = 4
)

// Handler returns the pages. With profiles, it includes those of the process, which
// tell more than a stranger should know.
func Handler(c Config, profiles bool) http.Handler {
	if c.MaxSeries <= 0 {
		c.MaxSeries = maxSeries
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(capped(c.Gatherer, c.MaxSeries), promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapes, ErrorHandling: promhttp.ContinueOnError,
	}))
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", c.ready)
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func alive(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") }

// ready answers 200 if all checks pass, else 503 and the checks that failed.
func (c Config) ready(w http.ResponseWriter, r *http.Request) {
	verbose := r.URL.Query().Has("verbose")
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	code, last := http.StatusOK, "ready\n"
	var out strings.Builder
	for _, check := range c.Checks {
		err := check.Run(ctx)
		if err != nil {
			code, last = http.StatusServiceUnavailable, "not ready\n"
			fmt.Fprintf(&out, "[-] %s: %s\n", check.Name, err)
		} else if verbose {
			fmt.Fprintf(&out, "[+] %s\n", check.Name)
		}
	}
	text(w, code, out.String()+last)
}

func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(body)) // the client may have left
}
