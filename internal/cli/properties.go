package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/botehq/bote/internal/config"
)

// properties are client settings by their Kafka names.
type properties map[string]string

// fromSystem is what config providers read from.
var fromSystem = config.Sources{LookupEnv: os.LookupEnv, ReadFile: os.ReadFile}

// readProperties reads a properties file and resolves what refers to a config provider. A missing file is Kafka's
// NoSuchFileException with the name as its text.
func readProperties(file string) (properties, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &exception{class: classNoFile, text: file, cause: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	defer f.Close()
	values, err := config.ParseProperties(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return config.Resolve(values, fromSystem) //nolint:wrapcheck // it names the setting
}

// optionalProperties reads the file if one is named.
func optionalProperties(file string) (properties, error) {
	if file == "" {
		return properties{}, nil
	}
	return readProperties(file)
}

// pairs reads key=value words. A word without = is a key with an empty value where loose allows it, else refused with Kafka's
// text.
func pairs(words []string, loose bool) (properties, error) {
	p := properties{}
	for _, word := range words {
		k, v, ok := strings.Cut(word, "=")
		if k == "" || !ok && !loose {
			return nil, throw(classArgument, "Invalid command line properties: %s", word)
		}
		p[k] = v
	}
	return p, nil
}

// get returns a value with the blanks around it dropped, or the default.
func (p properties) get(name, def string) string {
	if v, ok := p[name]; ok {
		return strings.TrimSpace(v)
	}
	return def
}

// yes reports whether a value is true, in any case.
func (p properties) yes(name string) bool { return strings.EqualFold(p.get(name, ""), "true") }

// off reports whether a value is false, in any case.
func (p properties) off(name string) bool { return strings.EqualFold(p.get(name, ""), "false") }

// has reports whether a setting is given.
func (p properties) has(name string) bool { _, ok := p[name]; return ok }
