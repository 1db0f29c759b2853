package cli

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
)

// kafka-dump-log shows what is in the files of a data directory. It reads the files alone; a broker may be running.

func dumpLogParser() *optParser {
	flag := func(name, help string) option { return option{name: name, help: help} }
	return &optParser{options: []option{
		flag("cluster-metadata-decoder", "Show the records of the metadata log and its snapshots as JSON; implies --print-data-log."),
		flag("deep-iteration", "Show every record, not batches alone."),
		{name: "files", arg: requiredArg, typ: "String", what: "file1, file2, ...", help: "The files to show, with commas between."},
		flag("index-sanity-check", "Only check that indexes are well-formed."),
		{name: "key-decoder-class", arg: optionalArg, typ: "String", def: stringDecoder, help: "How keys are read: as text, numbers or bytes."},
		{name: "max-bytes", arg: requiredArg, typ: "Integer", what: "size", def: strconv.Itoa(math.MaxInt32), help: "How many bytes of a log to read."},
		{name: "max-message-size", arg: requiredArg, typ: "Integer", what: "size", def: "5242880", help: "The largest batch to expect."},
		flag("offsets-decoder", "Show the records of __consumer_offsets as JSON; implies --print-data-log."),
		flag("print-data-log", "Show keys and values; implies --deep-iteration."),
		flag("remote-log-metadata-decoder", "Show the records of __remote_log_metadata; implies --print-data-log."),
		flag("share-group-state-decoder", "Show the records of __share_group_state as JSON; implies --print-data-log."),
		flag("skip-record-metadata", "Show keys and values without what is known of their records."),
		flag("transaction-log-decoder", "Show the records of __transaction_state as JSON; implies --print-data-log."),
		{name: "value-decoder-class", arg: optionalArg, typ: "String", def: stringDecoder, help: "How values are read: as text, numbers or bytes."},
		flag("verify-index-only", "Only check indexes against their logs."),
		helpOption(), versionOption(),
	}}
}

const stringDecoder = "org.apache.kafka.tools.api.StringDecoder"

// dumper is one run.
type dumper struct {
	s *streams

	printData, deep, skipMetadata bool
	sanityOnly, verifyOnly        bool
	maxBytes                      int64
	decode                        decoder

	// What was found wrong, by file in the order of the files; reported at the end.
	mismatches  []finding
	timeProblem []finding
	gaps        []finding
}

func runDumpLog(ctx context.Context, s *streams, args []string) int {
	p := dumpLogParser()
	set, err := p.parse(args)
	if len(args) > 0 && err != nil {
		s.remark("Exception in thread \"main\" %s\n", dumpError(err))
		return exitError
	}
	if code, done := p.begin(s, set, args, "Shows the contents of log segments, indexes and snapshots."); done {
		return code
	}
	if err := set.needs("files"); err != nil {
		return p.finish(s, err)
	}
	d, files, err := newDumper(s, set)
	if err == nil {
		err = d.run(ctx, files)
	}
	if err == nil {
		return exitOK
	}
	s.remark("Exception in thread \"main\" %s\n", dumpError(err))
	return exitError
}

// dumpError is the name and the text of an error.
func dumpError(err error) string {
	if e, ok := errors.AsType[*parseError](err); ok {
		return e.named()
	}
	return asException(err, "").named()
}

func newDumper(s *streams, set *optSet) (*dumper, []string, error) {
	r := reader{set: set}
	d := &dumper{
		s: s, skipMetadata: set.has("skip-record-metadata"), sanityOnly: set.has("index-sanity-check"), verifyOnly: set.has("verify-index-only"),
		maxBytes: int64(r.int32("max-bytes", math.MaxInt32)),
	}
	_ = r.int32("max-message-size", 5<<20)
	files := r.text("files", "")
	decoded := true
	switch {
	case set.has("offsets-decoder"):
		d.decode = internalDecoder(offsetsRecords())
	case set.has("transaction-log-decoder"):
		d.decode = internalDecoder(transactionRecords())
	case set.has("share-group-state-decoder"):
		d.decode = internalDecoder(shareRecords())
	case set.has("cluster-metadata-decoder"):
		d.decode = metadataDecoder
	case set.has("remote-log-metadata-decoder"):
		d.decode = plainDecoder
	default:
		decoded = false
		d.decode = classDecoder(r.text("key-decoder-class", stringDecoder), r.text("value-decoder-class", stringDecoder))
	}
	d.printData = decoded || set.has("print-data-log")
	d.deep = d.printData || set.has("deep-iteration")
	return d, strings.Split(files, ","), r.err
}

func (d *dumper) run(ctx context.Context, files []string) error {
	for _, file := range files {
		if err := d.dump(ctx, file); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return &exception{class: classNoFile, text: file, cause: err}
			}
			return err
		}
	}
	d.report()
	return nil
}

// dump shows a file according to its suffix.
func (d *dumper) dump(ctx context.Context, file string) error {
	d.s.printf("Dumping %s\n", file)
	name := filepath.Base(file)
	suffix := filepath.Ext(name)
	switch suffix {
	case ".log":
		start, err := strconv.ParseInt(strings.TrimSuffix(name, suffix), 10, 64)
		if err != nil {
			return throw("java.lang.NumberFormatException", "For input string: %q", strings.TrimSuffix(name, suffix))
		}
		d.s.printf("Log starting offset: %d\n", start)
		return d.dumpLog(ctx, file)
	case ".checkpoint":
		end, epoch, ok := snapshotName(name)
		if !ok && name != bootstrapFile {
			break
		}
		if ok {
			d.s.printf("Snapshot end offset: %d, epoch: %d\n", end, epoch)
		} else {
			d.s.printf("KRaft bootstrap snapshot\n")
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
	d.s.remark("Ignoring unknown file %s\n", file)
	return nil
}

// snapshotName reads END-EPOCH.checkpoint.
func snapshotName(name string) (end int64, epoch int32, ok bool) {
	first, second, found := strings.Cut(strings.TrimSuffix(name, ".checkpoint"), "-")
	end, errEnd := strconv.ParseInt(first, 10, 64)
	n, errEpoch := strconv.ParseInt(second, 10, 32)
	return end, int32(n), found && errEnd == nil && errEpoch == nil
}

// finding is what was wrong with a file: pairs of offsets.
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

// report tells what was found wrong, on stderr.
func (d *dumper) report() {
	for _, f := range d.mismatches {
		d.s.remark("Mismatches in :%s\n", f.file)
		for _, p := range f.pairs {
			d.s.remark("  Index offset: %d, log offset: %d\n", p[0], p[1])
		}
	}
	for range d.timeProblem {
		d.s.remark("The following indexed offsets are not found in the log.\n")
		break
	}
	for _, f := range d.timeProblem {
		for _, p := range f.pairs {
			d.s.remark("Indexed offset: %d, found log offset: %d\n", p[0], p[1])
		}
	}
	for _, f := range d.gaps {
		d.s.remark("Non-consecutive offsets in %s\n", f.file)
		for _, p := range f.pairs {
			d.s.remark("  %d is followed by %d\n", p[0], p[1])
		}
	}
}

// readDumped reads a file that is small enough to be held: all but logs.
func readDumped(file string) ([]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return raw, nil
}
