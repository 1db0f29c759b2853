package cli

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/botehq/bote/internal/config"
)

// clientSettings reads typed client settings and refuses bad values with Kafka's texts. It keeps the first refusal.
type clientSettings struct {
	properties
	err error
}

func (c *clientSettings) refuse(name, value, why string) {
	if c.err == nil {
		c.err = throw(classConfig, "Invalid value %s for configuration %s: %s", value, name, why)
	}
}

func (c *clientSettings) number(name string, def int64, bits int, typ string) int64 {
	v := c.get(name, "")
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

func (c *clientSettings) int(name string, def int32) int32 {
	return int32(c.number(name, int64(def), 32, "INT"))
}

func (c *clientSettings) long(name string, def int64) int64 { return c.number(name, def, 64, "LONG") }

func (c *clientSettings) millis(name string, def int64) time.Duration {
	return config.Duration(c.long(name, def))
}

func (c *clientSettings) bool(name string, def bool) bool {
	v := c.get(name, "")
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

// choice returns one of the values, which are compared in lower case where fold says so.
func (c *clientSettings) choice(name, def string, fold bool, values ...string) string {
	v := c.get(name, def)
	compared := v
	if fold {
		compared = strings.ToLower(v)
	}
	if !slices.Contains(values, compared) {
		c.refuse(name, v, "String must be one of: "+strings.Join(values, ", "))
	}
	return compared
}
