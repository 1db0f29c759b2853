package config

import (
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestProvidersAreResolved(t *testing.T) {
	files := fstest.MapFS{
		"run/secrets.properties": {Data: []byte("dir=/var/bote\nport: 9099\n")},
		"run/secrets/dir":        {Data: []byte("/mnt/data")},
		"etc/other.properties":   {Data: []byte("dir=/other\n")},
	}
	from := Sources{
		LookupEnv: func(name string) (string, bool) {
			v, ok := map[string]string{"DATA": "/data", "PORT": "9092", "EMPTY": ""}[name]
			return v, ok
		},
		ReadFile: func(path string) ([]byte, error) { return fs.ReadFile(files, path) },
	}
	const class = "org.apache.kafka.common.config.provider."
	for _, c := range []struct {
		name   string
		value  string
		more   map[string]string
		want   string
		refuse string
	}{
		{name: "nothing to resolve", value: "/data", want: "/data"},
		{name: "a variable", value: "${env:DATA}", want: "/data"},
		{name: "twice, between text", value: "PLAINTEXT://:${env:PORT},X://:${env:PORT}", want: "PLAINTEXT://:9092,X://:9092"},
		{name: "an empty variable", value: "a${env:EMPTY}b", want: "ab"},
		{name: "a property of a file", value: "${file:run/secrets.properties:port}", want: "9099"},
		{name: "a file of a folder", value: "${directory:run/secrets:dir}", want: "/mnt/data"},
		{name: "no provider's name", value: "${vault:a:b} ${x}", want: "${vault:a:b} ${x}"},
		{
			name: "a name of one's own", value: "${secrets:run/secrets.properties:dir}", want: "/var/bote",
			more: map[string]string{"config.providers": "secrets", "config.providers.secrets.class": class + "FileConfigProvider"},
		},
		{name: "a variable that is not set", value: "${env:NONE}", refuse: "Setting log.dirs refers to ${env:NONE}: the environment variable NONE is not set"},
		{name: "no such file", value: "${file:run/none:dir}", refuse: "cannot read run/none: file does not exist"},
		{name: "no such property", value: "${file:run/secrets.properties:none}", refuse: "run/secrets.properties has no property none"},
		{name: "out of the folder", value: "${directory:run/secrets:..}", refuse: ".. is not the name of a file"},
		{name: "out of the folder by a path", value: "${directory:run/secrets:../secrets.properties}", refuse: "is not the name of a file"},
		{
			name: "an unknown class", value: "${vault:a:b}", refuse: "bote has the config providers",
			more: map[string]string{"config.providers": "vault", "config.providers.vault.class": "com.example.Vault"},
		},
		{
			name: "an allowed path", value: "${file:run/secrets.properties:dir}", want: "/var/bote",
			more: map[string]string{"config.providers": "file", "config.providers.file.class": class + "FileConfigProvider", "config.providers.file.param.allowed.paths": "run"},
		},
		{
			name: "a path that is not allowed", value: "${file:run/../etc/other.properties:dir}", refuse: "allowed.paths run does not allow",
			more: map[string]string{"config.providers": "file", "config.providers.file.class": class + "FileConfigProvider", "config.providers.file.param.allowed.paths": "run"},
		},
		{
			name: "a variable that is not allowed", value: "${env:PORT}", refuse: "does not allow the variable PORT",
			more: map[string]string{"config.providers": "env", "config.providers.env.class": class + "EnvVarConfigProvider", "config.providers.env.param.allowlist.pattern": "DATA.*"},
		},
	} {
		values := map[string]string{"log.dirs": c.value}
		maps.Copy(values, c.more)
		got, err := Resolve(values, from)
		require.Equal(t, c.value, values["log.dirs"], "what was given is not changed")
		if c.refuse != "" {
			require.ErrorContains(t, err, c.refuse, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got["log.dirs"], c.name)
	}
}
