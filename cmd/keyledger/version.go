package main

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker, which sets no variable that the program itself
// initialises; a build without it names its module's.
var version string

func init() {
	if version == "" {
		version = moduleVersion()
	}
}

func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

type versionCommand struct{}

func (versionCommand) Run(t *terminal) error {
	if !t.json {
		return t.write([]byte("keyledger " + version + "\n"))
	}
	return t.writeValue(map[string]string{
		"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
	})
}
