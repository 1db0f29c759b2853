// Conformance asks a broker what Apache Kafka 4.2 would answer.
//
// Every case sends raw requests over its own TCP connections and asserts the response that Kafka 4.2.0 gives. A case that
// fails against Kafka is wrong. A case that fails against another broker names what that broker does differently.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"sort"
	"sync"
	"time"
)

// Flags say what the cases need to know about the broker under test.
type Flags struct {
	Bootstrap string
	SASL      string // HOST:PORT of a SASL_PLAINTEXT listener, empty: none
	User      string // an existing PLAIN user, super user where an authorizer is configured
	Password  string
	Golden    string // Kafka's ApiVersions table; "" to skip the comparison
	Slow      bool
}

var flags Flags

func main() {
	flag.StringVar(&flags.Bootstrap, "bootstrap", "127.0.0.1:9092", "plaintext listener of the broker, HOST:PORT")
	flag.StringVar(&flags.SASL, "sasl", "", "SASL_PLAINTEXT listener, HOST:PORT; empty skips sasl/ and most of acl/")
	flag.StringVar(&flags.User, "sasl-user", "admin", "PLAIN user known to the broker")
	flag.StringVar(&flags.Password, "sasl-password", "admin-secret", "its password")
	flag.StringVar(&flags.Golden, "golden", "testdata/apiversions.json", "Kafka's ApiVersions answer")
	flag.BoolVar(&flags.Slow, "slow", true, "run cases that wait for timeouts")
	run := flag.String("run", "", "run only cases whose id matches this regular expression")
	skip := flag.String("skip", "", "do not run cases whose id matches this regular expression")
	list := flag.Bool("list", false, "print ids and what they assert, run nothing")
	asJSON := flag.Bool("json", false, "one JSON object per case")
	verbose := flag.Bool("v", false, "print passed and skipped cases too")
	parallel := flag.Int("parallel", 12, "cases at once")
	write := flag.String("write-golden", "", "write the broker's ApiVersions answer to this file and exit")
	fill := flag.Bool("fill", false, "write the data of the recorded directories into an empty broker and exit")
	find := flag.String("find", "", "note in this file what the broker serves of the data that -fill wrote and exit")
	flag.Parse()

	cases, err := selectCases(*run, *skip)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if *list {
		for _, c := range cases {
			fmt.Printf("%-60s %s\n", c.ID, c.Says)
		}
		return
	}
	if *write != "" {
		if err := writeGolden(*write); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	if *fill || *find != "" {
		step := (*T).fill
		if !*fill {
			step = func(t *T) { t.findAll(*find) }
		}
		if err := goldenLogs(step); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		return
	}
	if report(cases, runAll(cases, *parallel), *asJSON, *verbose) > 0 {
		os.Exit(1)
	}
}

func selectCases(run, skip string) ([]Case, error) {
	want, err := regexp.Compile(run)
	if err != nil {
		return nil, err
	}
	var not *regexp.Regexp
	if skip != "" {
		if not, err = regexp.Compile(skip); err != nil {
			return nil, err
		}
	}
	var out []Case
	for _, c := range registry {
		if want.MatchString(c.ID) && (not == nil || !not.MatchString(c.ID)) {
			out = append(out, c)
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out, nil
}

// runAll runs the cases, slow ones first, and returns the results in the order of cases.
func runAll(cases []Case, parallel int) []Result {
	results := make([]Result, len(cases))
	work := make(chan int)
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for i := range work {
				results[i] = runCase(cases[i])
			}
		})
	}
	for _, slow := range []bool{true, false} {
		for i, c := range cases {
			if c.Slow == slow {
				work <- i
			}
		}
	}
	close(work)
	wg.Wait()
	return results
}

func report(cases []Case, results []Result, asJSON, verbose bool) (failed int) {
	var passed, skipped int
	for i, r := range results {
		switch r.Status {
		case "PASS":
			passed++
		case "FAIL":
			failed++
		case "SKIP":
			skipped++
		}
		if asJSON {
			line, _ := json.Marshal(struct {
				ID, Says string
				Result
			}{cases[i].ID, cases[i].Says, r})
			fmt.Println(string(line))
			continue
		}
		if r.Status == "FAIL" || verbose {
			fmt.Printf("%s %s (%d ms)\n", r.Status, cases[i].ID, r.Millis)
		}
		if r.Status == "FAIL" {
			fmt.Printf("     says: %s\n", cases[i].Says)
		}
		for _, d := range r.Details {
			if r.Status == "FAIL" || verbose {
				fmt.Printf("     %s\n", d)
			}
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	return failed
}

// Result is the result of one case.
type Result struct {
	Status  string // PASS, FAIL, SKIP
	Details []string
	Millis  int64
}

func runCase(c Case) Result {
	start := time.Now()
	t := &T{id: c.ID, serial: serial.Add(1)}
	if c.Slow && !flags.Slow {
		return Result{Status: "SKIP", Details: []string{"slow"}}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.closeConns()
		defer t.recover()
		c.Run(t)
	}()
	<-done
	r := Result{Status: "PASS", Details: t.details, Millis: time.Since(start).Milliseconds()}
	if t.skipped {
		r.Status = "SKIP"
	}
	if t.failed {
		r.Status = "FAIL"
	}
	return r
}
