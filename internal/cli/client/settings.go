package client

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/cli/tool"
	"github.com/botehq/bote/internal/config"
)

// Settings reads typed client settings. It keeps the first error about a bad value, which has Kafka's text.
type Settings struct {
	tool.Properties
	err error
}

func (c *Settings) refuse(name, value, why string) {
	if c.err == nil {
		c.err = exception.New(exception.Config, "Invalid value %s for configuration %s: %s", value, name, why)
	}
}

func (c *Settings) number(name string, def int64, bits int, typ string) int64 {
	v := c.Get(name, "")
	if v == "" {
		return def
	}
	n, err := strconv.ParseInt(v, 10, bits)
	if err != nil {
		c.refuse(name, v, "Not a number of type "+typ)
		return def
	}
	return n
}

// Int returns a setting of type INT.
func (c *Settings) Int(name string, def int32) int32 {
	return int32(c.number(name, int64(def), 32, "INT"))
}

func (c *Settings) long(name string, def int64) int64 { return c.number(name, def, 64, "LONG") }

// Millis returns a setting of type LONG in milliseconds as a duration.
func (c *Settings) Millis(name string, def int64) time.Duration {
	return config.Duration(c.long(name, def))
}

func (c *Settings) bool(name string, def bool) bool {
	v := c.Get(name, "")
	switch {
	case v == "":
		return def
	case strings.EqualFold(v, "true"):
		return true
	case !strings.EqualFold(v, "false"):
		c.refuse(name, v, "Expected value to be either true or false")
	}
	return false
}

// choice returns a setting that must be one of the values. If fold is set, case does not matter.
func (c *Settings) choice(name, def string, fold bool, values ...string) string {
	v := c.Get(name, def)
	compared := v
	if fold {
		compared = strings.ToLower(v)
	}
	if !slices.Contains(values, compared) {
		c.refuse(name, v, "String must be one of: "+strings.Join(values, ", "))
	}
	return compared
}
