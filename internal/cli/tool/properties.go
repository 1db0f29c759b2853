package tool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/botehq/bote/internal/cli/exception"
	"github.com/botehq/bote/internal/config"
)

// Properties are client settings by their Kafka names.
type Properties map[string]string

// SystemSources are the environment and the files that config providers read.
var SystemSources = config.Sources{LookupEnv: os.LookupEnv, ReadFile: os.ReadFile}

// ReadProperties reads a properties file and resolves references to config providers. If the file does not exist, the error is
// Kafka's NoSuchFileException with the file name as its text.
func ReadProperties(file string) (Properties, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &exception.Error{Class: exception.NoSuchFile, Text: file, Cause: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	defer f.Close()
	values, err := config.ParseProperties(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return config.Resolve(values, SystemSources) //nolint:wrapcheck // it names the setting
}

// OptionalProperties is ReadProperties, but an empty file name means no properties.
func OptionalProperties(file string) (Properties, error) {
	if file == "" {
		return Properties{}, nil
	}
	return ReadProperties(file)
}

// ParsePairs reads key=value words. If loose is set, a word without = is a key with an empty value; otherwise it is an error
// with Kafka's text.
func ParsePairs(words []string, loose bool) (Properties, error) {
	p := Properties{}
	for _, word := range words {
		k, v, ok := strings.Cut(word, "=")
		if k == "" || !ok && !loose {
			return nil, exception.New(exception.IllegalArgument, "Invalid command line properties: %s", word)
		}
		p[k] = v
	}
	return p, nil
}

// Get returns a value without the blanks around it, or the default.
func (p Properties) Get(name, def string) string {
	if v, ok := p[name]; ok {
		return strings.TrimSpace(v)
	}
	return def
}

// Yes reports whether a value is "true" in upper or lower case.
func (p Properties) Yes(name string) bool { return strings.EqualFold(p.Get(name, ""), "true") }

// Off reports whether a value is "false" in upper or lower case.
func (p Properties) Off(name string) bool { return strings.EqualFold(p.Get(name, ""), "false") }

// Has reports whether a setting is given.
func (p Properties) Has(name string) bool { _, ok := p[name]; return ok }
