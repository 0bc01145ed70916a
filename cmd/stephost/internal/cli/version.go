package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/internal/version"
)

// versions is what `stephost version` says.
type versions struct {
	Version string `json:"version"`
	// Commit is the source's commit, where the build knows it.
	Commit string `json:"commit,omitempty"`
	// Protocol lists the majors of the contract that the host speaks.
	Protocol []int `json:"protocol"`
	// SDK is the plugin SDK of the same source; MinSDK the oldest one whose
	// plugins are started.
	SDK    string `json:"sdk"`
	MinSDK string `json:"min_sdk"`
	Go     string `json:"go"`
	OS     string `json:"os"`
	Arch   string `json:"arch"`
}

func (a *app) versionCommand() *cobra.Command {
	return command("version", "Print the versions of stephost, the contract and the SDK", cobra.Command{
		Args: arguments(0),
		RunE: func(*cobra.Command, []string) error { return a.showVersion() },
	})
}

func (a *app) showVersion() error {
	v := versions{Version: version.Version, Protocol: []int{version.Protocol}, SDK: version.Version, MinSDK: registry.MinSDK,
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Commit = s.Value
			}
		}
	}
	return a.item(v, func(w io.Writer) error {
		commit := ""
		if len(v.Commit) >= 12 {
			commit = " (" + v.Commit[:12] + ")"
		}
		_, err := fmt.Fprintf(w, "stephost %s%s\nprotocol %d, SDK %s (plugins from SDK %s on)\n%s %s/%s\n",
			v.Version, commit, version.Protocol, v.SDK, v.MinSDK, v.Go, v.OS, v.Arch)
		return err
	})
}
