package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Sources is what config providers read from.
type Sources struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
}

// The values of config.providers.NAME.class that bote supports, as Kafka names them.
const (
	envProvider       = "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
	fileProvider      = "org.apache.kafka.common.config.provider.FileConfigProvider"
	directoryProvider = "org.apache.kafka.common.config.provider.DirectoryConfigProvider"
)

// provider answers ${name:path:key} (KIP-297, KIP-421).
type provider struct {
	class string
	// allowed limits what the provider may read: a pattern of variable names, or a list of folders. Empty means no
	// limit.
	allowed string
}

// reference is ${provider:key} or ${provider:path:key}, as Kafka's ConfigTransformer finds it.
var reference = regexp.MustCompile(`\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`)

// Resolve replaces the references to config providers in values by what they refer to: ${env:NAME}, ${file:PATH:KEY}
// and ${directory:PATH:NAME}. These three providers exist under these names without any setting; config.providers adds
// other names for them. If a provider does not have the value, Resolve returns an error; Kafka leaves the reference in
// the value. The given map is not changed.
func Resolve(values map[string]string, from Sources) (map[string]string, error) {
	if !slices.ContainsFunc(slices.Collect(maps.Values(values)), reference.MatchString) {
		return values, nil
	}
	providers, err := readProviders(values)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(values)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if strings.HasPrefix(name, "config.providers") {
			continue
		}
		out[name] = reference.ReplaceAllStringFunc(values[name], func(ref string) string {
			m := reference.FindStringSubmatch(ref)
			p, ok := providers[m[1]]
			if !ok {
				return ref // not the name of a provider: Kafka leaves the reference, too
			}
			v, lookErr := p.value(m[3], m[4], from)
			if lookErr != nil && err == nil {
				err = refuse("Setting %s refers to %s: %s", name, ref, lookErr)
			}
			return v
		})
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// readProviders reads config.providers and the settings of each name in it.
func readProviders(values map[string]string) (map[string]provider, error) {
	providers := map[string]provider{"env": {class: envProvider}, "file": {class: fileProvider}, "directory": {class: directoryProvider}}
	for _, name := range splitList(strings.TrimSpace(values["config.providers"])) {
		prefix := "config.providers." + name + "."
		p := provider{class: strings.TrimSpace(values[prefix+"class"])}
		switch p.class {
		case envProvider:
			p.allowed = values[prefix+"param.allowlist.pattern"]
		case fileProvider, directoryProvider:
			p.allowed = values[prefix+"param.allowed.paths"]
		default:
			return nil, refuse("Invalid value %s for configuration %sclass: bote has the config providers %s, %s and %s", p.class, prefix, envProvider, fileProvider, directoryProvider)
		}
		providers[name] = p
	}
	return providers, nil
}

func (p provider) value(path, key string, from Sources) (string, error) {
	switch p.class {
	case envProvider:
		return p.variable(path, key, from)
	case fileProvider:
		return p.property(path, key, from)
	default:
		return p.file(path, key, from)
	}
}

func (p provider) variable(path, key string, from Sources) (string, error) {
	if path != "" {
		return "", fmt.Errorf("an environment variable has no path; write ${env:%s}", key)
	}
	if p.allowed != "" {
		pattern, err := regexp.Compile("^(?:" + p.allowed + ")$")
		if err != nil {
			return "", fmt.Errorf("allowlist.pattern: %w", err)
		}
		if !pattern.MatchString(key) {
			return "", fmt.Errorf("allowlist.pattern %s does not allow the variable %s", p.allowed, key)
		}
	}
	v, ok := from.LookupEnv(key)
	if !ok {
		return "", fmt.Errorf("the environment variable %s is not set", key)
	}
	return v, nil
}

func (p provider) property(path, key string, from Sources) (string, error) {
	data, err := p.read(path, from)
	if err != nil {
		return "", err
	}
	values, err := ParseProperties(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	v, ok := values[key]
	if !ok {
		return "", fmt.Errorf("%s has no property %s", path, key)
	}
	return v, nil
}

// file returns the content of a file in a folder, as Kubernetes mounts secrets.
func (p provider) file(folder, key string, from Sources) (string, error) {
	if key == "" || filepath.Base(key) != key || key == ".." || key == "." {
		return "", fmt.Errorf("%s is not the name of a file in %s", key, folder)
	}
	data, err := p.read(filepath.Join(folder, key), from)
	return string(data), err
}

func (p provider) read(path string, from Sources) ([]byte, error) {
	allowed := splitList(strings.TrimSpace(p.allowed))
	if len(allowed) > 0 && !slices.ContainsFunc(allowed, func(root string) bool { return within(root, path) }) {
		return nil, fmt.Errorf("allowed.paths %s does not allow %s", p.allowed, path)
	}
	data, err := from.ReadFile(path)
	if err != nil {
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err // our error names the path already
		}
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return data, nil
}

// within reports whether a path is the root or lies below it.
func within(root, path string) bool {
	rest, err := filepath.Rel(filepath.Clean(root), filepath.Clean(path))
	return err == nil && rest != ".." && !strings.HasPrefix(rest, ".."+string(filepath.Separator))
}
