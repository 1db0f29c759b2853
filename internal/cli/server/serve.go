package server

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/cli/verb"
	"github.com/botehq/bote/internal/config"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	config   string
	settings []string
	dataDir  string
	listen   string
	debug    bool
}

func (o *serveOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&o.config, "config", "c", "", "`file` with settings, such as Kafka's server.properties; by default bote's own settings")
	f.StringArrayVar(&o.settings, "set", nil, "`name=value`, which overrides the setting in the file; may be repeated")
	f.StringVar(&o.dataDir, "data-dir", "", "`directory` for the data, instead of log.dirs; an empty one is formatted")
	f.StringVar(&o.listen, "listen", "", "`host:port` for clients, instead of listeners")
	f.BoolVar(&o.debug, "debug", false, "log debug messages too")
}

// NewServeCommand is bote serve.
func NewServeCommand(s *tool.Streams) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve [FILE]",
		Short: "Run the broker",
		Long:  "Run the broker in the foreground until Ctrl-C or a termination signal. The log goes to stdout and, if LOG_DIR is set, to server.log in that directory.",
		Example: "  bote serve\n" +
			"  bote serve config/server.properties\n" +
			"  bote serve --data-dir data --listen localhost:9092",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, files []string) error {
			if len(files) > 0 && o.config != "" {
				return verb.UsageError{Err: fmt.Errorf("%s and --config %s both name a file with settings: give only one", files[0], o.config)}
			}
			o.config = cmp.Or(o.config, strings.Join(files, ""))
			values, err := o.values()
			if err != nil {
				return err
			}
			level := slog.LevelInfo
			if o.debug {
				level = slog.LevelDebug
			}
			v, closing := newServing(s, level)
			defer closing()
			v.values = values
			if code := v.run(c.Context()); code != tool.ExitOK {
				return verb.CodeError(code)
			}
			return nil
		},
	}
	o.addFlags(c)
	return c
}

// values returns the settings of the file, overridden by the flags.
func (o *serveOptions) values() (map[string]string, error) {
	values, err := tool.OptionalProperties(o.config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("file %s does not exist", o.config)
	}
	if unreadable, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, unreadable // the error names the operation and the file
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	for _, word := range o.settings {
		setting, err := tool.ParsePairs([]string{word}, false)
		if err != nil {
			return nil, verb.UsageError{Err: fmt.Errorf("--set needs name=value, not %q", word)}
		}
		maps.Copy(values, setting)
	}
	if o.dataDir != "" {
		delete(values, "log.dir")
		values["log.dirs"] = o.dataDir
	}
	if o.listen != "" {
		if _, port, err := net.SplitHostPort(o.listen); err != nil || !isPort(port) {
			return nil, verb.UsageError{Err: fmt.Errorf("--listen needs host:port, such as localhost:9092, not %q", o.listen)}
		}
		config.ListenAt(values, o.listen)
	}
	return values, nil
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}
