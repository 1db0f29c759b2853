// Package dumplog owns kafka-dump-log, which prints the contents of the files of a data directory: segments, indexes,
// snapshots, and the records of internal topics. It only reads files and connects to no broker.
package dumplog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/format"
	"github.com/botehq/bote/internal/cli/jopt"
	"github.com/botehq/bote/internal/cli/tool"
)

// A broker may run while kafka-dump-log reads its files.

func parser() *jopt.Parser {
	flag := func(name, help string) jopt.Option { return jopt.Option{Name: name, Help: help} }
	return &jopt.Parser{Options: []jopt.Option{
		flag("cluster-metadata-decoder", "Show the records of the metadata log and its snapshots as JSON; implies --print-data-log."),
		flag("deep-iteration", "Show every record, not only batches."),
		{Name: "files", Arg: jopt.RequiredArg, Type: "String", What: "file1, file2, ...", Help: "Comma-separated list of files to show."},
		flag("index-sanity-check", "Only check that indexes are well-formed."),
		{Name: "key-decoder-class", Arg: jopt.OptionalArg, Type: "String", Default: stringDecoder, Help: "Decoder class for keys."},
		{Name: "max-bytes", Arg: jopt.RequiredArg, Type: "Integer", What: "size", Default: strconv.Itoa(math.MaxInt32), Help: "Maximum number of bytes of a log to read."},
		{Name: "max-message-size", Arg: jopt.RequiredArg, Type: "Integer", What: "size", Default: "5242880", Help: "Size of the largest batch to read, in bytes."},
		flag("offsets-decoder", "Show the records of __consumer_offsets as JSON; implies --print-data-log."),
		flag("print-data-log", "Show keys and values; implies --deep-iteration."),
		flag("remote-log-metadata-decoder", "Show the records of __remote_log_metadata; implies --print-data-log."),
		flag("share-group-state-decoder", "Show the records of __share_group_state as JSON; implies --print-data-log."),
		flag("skip-record-metadata", "Do not print the metadata of records, only their keys and values."),
		flag("transaction-log-decoder", "Show the records of __transaction_state as JSON; implies --print-data-log."),
		{Name: "value-decoder-class", Arg: jopt.OptionalArg, Type: "String", Default: stringDecoder, Help: "Decoder class for values."},
		flag("verify-index-only", "Only compare indexes with their logs."),
		jopt.HelpOption(), jopt.VersionOption(),
	}}
}

const stringDecoder = "org.apache.kafka.tools.api.StringDecoder"

// dumper is one run of the tool.
type dumper struct {
	s *tool.Streams

	printData, deep, skipMetadata bool
	sanityOnly, verifyOnly        bool
	maxBytes                      int64
	decode                        decoder

	// The problems found, in the order of the files. They are reported at the end.
	mismatches  []finding
	timeProblem []finding
	gaps        []finding
}

// Run is kafka-dump-log.
func Run(ctx context.Context, s *tool.Streams, args []string) int {
	p := parser()
	set, err := p.Parse(args)
	if len(args) > 0 && err != nil {
		s.Remark("Exception in thread \"main\" %s\n", dumpError(err))
		return tool.ExitError
	}
	if code, done := p.Begin(s, set, args, "Shows the contents of log segments, indexes and snapshots."); done {
		return code
	}
	if err := set.Needs("files"); err != nil {
		return p.Finish(s, err)
	}
	d, files, err := newDumper(s, set)
	if err == nil {
		err = d.run(ctx, files)
	}
	if err == nil {
		return tool.ExitOK
	}
	s.Remark("Exception in thread \"main\" %s\n", dumpError(err))
	return tool.ExitError
}

// dumpError formats an error as its name and text.
func dumpError(err error) string {
	if e, ok := errors.AsType[*jopt.ParseError](err); ok {
		return e.Named()
	}
	return exception.Of(err, "").Named()
}

func newDumper(s *tool.Streams, set *jopt.Set) (*dumper, []string, error) {
	r := jopt.Reader{Set: set}
	d := &dumper{
		s: s, skipMetadata: set.Has("skip-record-metadata"), sanityOnly: set.Has("index-sanity-check"), verifyOnly: set.Has("verify-index-only"),
		maxBytes: int64(r.Int32("max-bytes", math.MaxInt32)),
	}
	_ = r.Int32("max-message-size", 5<<20)
	files := r.Text("files", "")
	decoded := true
	switch {
	case set.Has("offsets-decoder"):
		d.decode = internalDecoder(offsetsRecords())
	case set.Has("transaction-log-decoder"):
		d.decode = internalDecoder(transactionRecords())
	case set.Has("share-group-state-decoder"):
		d.decode = internalDecoder(shareRecords())
	case set.Has("cluster-metadata-decoder"):
		d.decode = metadataDecoder
	case set.Has("remote-log-metadata-decoder"):
		d.decode = plainDecoder
	default:
		decoded = false
		d.decode = classDecoder(r.Text("key-decoder-class", stringDecoder), r.Text("value-decoder-class", stringDecoder))
	}
	d.printData = decoded || set.Has("print-data-log")
	d.deep = d.printData || set.Has("deep-iteration")
	return d, strings.Split(files, ","), r.Err
}

func (d *dumper) run(ctx context.Context, files []string) error {
	for _, file := range files {
		if err := d.dump(ctx, file); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return &exception.Error{Class: exception.NoSuchFile, Text: file, Cause: err}
			}
			return err
		}
	}
	d.report()
	return nil
}

// dump prints a file. The suffix of its name says what it is.
func (d *dumper) dump(ctx context.Context, file string) error {
	d.s.Printf("Dumping %s\n", file)
	name := filepath.Base(file)
	suffix := filepath.Ext(name)
	switch suffix {
	case ".log":
		start, err := strconv.ParseInt(strings.TrimSuffix(name, suffix), 10, 64)
		if err != nil {
			return exception.New("java.lang.NumberFormatException", "For input string: %q", strings.TrimSuffix(name, suffix))
		}
		d.s.Printf("Log starting offset: %d\n", start)
		return d.dumpLog(ctx, file)
	case ".checkpoint":
		end, epoch, ok := snapshotName(name)
		if !ok && name != format.BootstrapFile {
			break
		}
		if ok {
			d.s.Printf("Snapshot end offset: %d, epoch: %d\n", end, epoch)
		} else {
			d.s.Printf("KRaft bootstrap snapshot\n")
		}
		return d.dumpLog(ctx, file)
	case ".index":
		return d.dumpIndex(ctx, file)
	case ".timeindex":
		return d.dumpTimeIndex(ctx, file)
	case ".snapshot":
		return d.dumpProducers(file)
	case ".txnindex":
		return d.dumpAborted(file)
	}
	d.s.Remark("Ignoring unknown file %s\n", file)
	return nil
}

// snapshotName reads END-EPOCH.checkpoint.
func snapshotName(name string) (end int64, epoch int32, ok bool) {
	first, second, found := strings.Cut(strings.TrimSuffix(name, ".checkpoint"), "-")
	end, errEnd := strconv.ParseInt(first, 10, 64)
	n, errEpoch := strconv.ParseInt(second, 10, 32)
	return end, int32(n), found && errEnd == nil && errEpoch == nil
}

// finding is a kind of problem in a file: the pairs of offsets that have it.
type finding struct {
	file  string
	pairs [][2]int64
}

func note(list *[]finding, file string, a, b int64) {
	if n := len(*list); n == 0 || (*list)[n-1].file != file {
		*list = append(*list, finding{file: file})
	}
	last := &(*list)[len(*list)-1]
	last.pairs = append(last.pairs, [2]int64{a, b})
}

// report prints the problems to stderr.
func (d *dumper) report() {
	for _, f := range d.mismatches {
		d.s.Remark("Mismatches in :%s\n", f.file)
		for _, p := range f.pairs {
			d.s.Remark("  Index offset: %d, log offset: %d\n", p[0], p[1])
		}
	}
	for range d.timeProblem {
		d.s.Remark("The following indexed offsets are not found in the log.\n")
		break
	}
	for _, f := range d.timeProblem {
		for _, p := range f.pairs {
			d.s.Remark("Indexed offset: %d, found log offset: %d\n", p[0], p[1])
		}
	}
	for _, f := range d.gaps {
		d.s.Remark("Non-consecutive offsets in %s\n", f.file)
		for _, p := range f.pairs {
			d.s.Remark("  %d is followed by %d\n", p[0], p[1])
		}
	}
}

// readDumped reads a whole file into memory. It is for all files except logs, which may be large.
func readDumped(file string) ([]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return raw, nil
}
