// Command packaging lays out what users unpack: bin/ with a wrapper for every tool (shell scripts, and batch files in
// bin/windows), config/ with the settings that Kafka users know, and the one binary behind all of it. A tree for another system
// than Windows has no batch files. It owns the wrappers and the layout; which tools there are is package cli's.
//
//	go run ./dist/packaging -out dist/bote-1.0 [-binary path/to/bote] [-zip dist/bote-1.0.zip]
package main

import (
	"archive/zip"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/botehq/bote/internal/cli"
)

//go:embed config
var configFiles embed.FS

//go:embed tree.md
var readme string

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintln(os.Stderr, "packaging:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("packaging", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "", "directory to lay out; must not exist")
	binary := flags.String("binary", "", "the bote binary to put in, bote or bote.exe")
	archive := flags.String("zip", "", "zip file to pack the tree into")
	root := flags.String("root", ".", "root of the repository, for LICENSE and NOTICE")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("read flags: %w", err)
	}
	if *out == "" {
		return errors.New("-out is needed")
	}
	if _, err := os.Stat(*out); err == nil {
		return fmt.Errorf("%s exists already", *out)
	}
	p := &packager{root: *root, out: *out, batch: *binary == "" || filepath.Ext(*binary) == ".exe"}
	for _, step := range []func() error{p.wrappers, p.config, p.legal, func() error { return p.binary(*binary) }} {
		if err := step(); err != nil {
			return err
		}
	}
	if *archive == "" {
		return nil
	}
	return p.zip(*archive)
}

// packager writes one tree.
type packager struct {
	root, out string
	batch     bool // with batch files, which call bote.exe
}

func (p *packager) write(name, text string, mode fs.FileMode) error {
	path := filepath.Join(p.out, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a tree to be shared
		return fmt.Errorf("create directory: %w", err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// wrappers writes bin/NAME.sh for every tool, and bin/windows/NAME.bat if bote.exe is there to be called.
func (p *packager) wrappers() error {
	for _, tool := range cli.ToolNames() {
		if err := p.write("bin/"+tool+".sh", shellWrapper(tool), 0o755); err != nil {
			return err
		}
		if !p.batch {
			continue
		}
		if err := p.write("bin/windows/"+tool+".bat", batchWrapper(tool), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shellWrapper works from any directory; the program takes the place of the shell, so signals and exit codes are its own.
func shellWrapper(tool string) string {
	return `#!/bin/sh
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
LOG_DIR=${LOG_DIR:-$root/logs}
export LOG_DIR
exec "$root/bin/bote" ` + tool + ` "$@"
`
}

// batchWrapper is the same for cmd.exe, with its line ends.
func batchWrapper(tool string) string {
	return strings.ReplaceAll(`@echo off
setlocal
if not defined LOG_DIR set "LOG_DIR=%~dp0..\..\logs"
"%~dp0..\bote.exe" `+tool+` %*
exit /b %ERRORLEVEL%
`, "\n", "\r\n")
}

// config writes config/ as it is embedded, and the copy where older instructions look for server.properties.
func (p *packager) config() error {
	err := fs.WalkDir(configFiles, "config", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := configFiles.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if name == "config/server.properties" {
			if err := p.write("config/kraft/server.properties", string(text), 0o644); err != nil {
				return err
			}
		}
		return p.write(name, string(text), 0o644)
	})
	if err != nil {
		return fmt.Errorf("lay out config: %w", err)
	}
	return nil
}

func (p *packager) legal() error {
	if err := p.write("README.md", readme, 0o644); err != nil {
		return err
	}
	for _, name := range []string{"LICENSE", "NOTICE"} {
		text, err := os.ReadFile(filepath.Join(p.root, name))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := p.write(name, string(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (p *packager) binary(from string) error {
	if from == "" {
		return nil
	}
	raw, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("read binary: %w", err)
	}
	return p.write("bin/"+filepath.Base(from), string(raw), 0o755)
}

// zip packs the tree, below a directory of its name.
func (p *packager) zip(to string) error {
	f, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("create %s: %w", to, err)
	}
	w := zip.NewWriter(f)
	err = filepath.WalkDir(p.out, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return p.pack(w, path, d)
	})
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", to, err)
	}
	return nil
}

func (p *packager) pack(w *zip.Writer, path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	header, err := zip.FileInfoHeader(info)
	if err != nil {
		return fmt.Errorf("describe %s: %w", path, err)
	}
	name, err := filepath.Rel(filepath.Dir(p.out), path)
	if err != nil {
		return fmt.Errorf("name %s: %w", path, err)
	}
	header.Name, header.Method = filepath.ToSlash(name), zip.Deflate
	to, err := w.CreateHeader(header)
	if err != nil {
		return fmt.Errorf("begin %s: %w", name, err)
	}
	from, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	defer func() { _ = from.Close() }()
	if _, err := io.Copy(to, from); err != nil {
		return fmt.Errorf("pack %s: %w", path, err)
	}
	return nil
}
