package requirements

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stephost/stephost/host/environment/internal/group"
)

// pylock is what is read of a lock file in the standard form (PEP 751).
type pylock struct {
	LockVersion string `toml:"lock-version"`
	Packages    []struct {
		Name    string     `toml:"name"`
		Version string     `toml:"version"`
		Marker  string     `toml:"marker"`
		Index   string     `toml:"index"`
		Wheels  []lockFile `toml:"wheels"`
		Sdist   *lockFile  `toml:"sdist"`
		Archive *lockFile  `toml:"archive"`
		VCS     *struct {
			Type         string `toml:"type"`
			URL          string `toml:"url"`
			Path         string `toml:"path"`
			Commit       string `toml:"commit-id"`
			Subdirectory string `toml:"subdirectory"`
		} `toml:"vcs"`
		Directory *struct {
			Path string `toml:"path"`
		} `toml:"directory"`
	} `toml:"packages"`
}

type lockFile struct {
	URL    string            `toml:"url"`
	Path   string            `toml:"path"`
	Hashes map[string]string `toml:"hashes"`
}

// isPylock: PEP 751 allows "pylock.toml" and "pylock.<name>.toml".
func isPylock(base string) bool {
	return base == "pylock.toml" || strings.HasPrefix(base, "pylock.") && strings.HasSuffix(base, ".toml")
}

// pylockLines are the lines of a lock file in the standard form: pinned, with
// every hash. Indexes are taken from the installer's settings, as everywhere,
// except those that only some packages name: they are added.
func pylockLines(file string) ([]string, error) {
	var lock pylock
	if err := readTOML(file, &lock); err != nil {
		return nil, err
	}
	if major, _, _ := strings.Cut(lock.LockVersion, "."); major != "1" {
		return nil, invalid(fmt.Sprintf("%s: lock-version %q is not known", file, lock.LockVersion), nil)
	}
	indexes := map[string]int{}
	var lines []string
	for _, p := range lock.Packages {
		if strings.Contains(p.Marker, "extras") || strings.Contains(p.Marker, "dependency_groups") {
			e := invalid(fmt.Sprintf("%s: %s belongs to an extra or a dependency group", file, p.Name), nil)
			e.Next = "export one choice of extras and groups to a requirements.txt, and name that file"
			return nil, e
		}
		var files []lockFile
		line := ""
		switch {
		case p.VCS != nil:
			place := p.VCS.URL
			if place == "" {
				place = "file://" + absolute(filepath.Dir(file), p.VCS.Path)
			}
			line = p.Name + " @ " + p.VCS.Type + "+" + place + "@" + p.VCS.Commit
			if p.VCS.Subdirectory != "" {
				line += "#subdirectory=" + p.VCS.Subdirectory
			}
		case p.Directory != nil:
			line = absolute(filepath.Dir(file), p.Directory.Path)
		case p.Archive != nil:
			line, files = p.Name+" @ "+p.Archive.URL, []lockFile{*p.Archive}
			if p.Archive.URL == "" {
				line = absolute(filepath.Dir(file), p.Archive.Path)
			}
		case p.Version == "":
			return nil, invalid(fmt.Sprintf("%s: %s has neither a version nor a place", file, p.Name), nil)
		default:
			line, files = p.Name+"=="+p.Version, p.Wheels
			if p.Sdist != nil {
				files = append(files[:len(files):len(files)], *p.Sdist)
			}
			if p.Index != "" {
				indexes[p.Index]++
			}
		}
		if p.Marker != "" {
			line += " ; " + p.Marker
		}
		var hashes []string
		for _, f := range files {
			if sum := f.Hashes["sha256"]; sum != "" {
				hashes = append(hashes, " --hash=sha256:"+sum)
			}
		}
		slices.Sort(hashes)
		lines = append(lines, line+strings.Join(slices.Compact(hashes), ""))
	}
	return append(otherIndexes(indexes), lines...), nil
}

// otherIndexes are lines for all indexes but the one that most packages come
// from: that one the installer knows, perhaps under the name of a mirror.
func otherIndexes(count map[string]int) []string {
	most := ""
	for index, n := range count {
		if most == "" || n > count[most] || n == count[most] && index < most {
			most = index
		}
	}
	var lines []string
	for index := range count {
		if index != most {
			lines = append(lines, "--extra-index-url "+index)
		}
	}
	slices.Sort(lines)
	return lines
}

// uvLockLines are the lines of a uv.lock, which uv itself must tell: its form is
// its own. Nothing is resolved and no index is asked; a lock file that is older
// than its pyproject.toml is taken as it is, as uv does with --frozen.
func uvLockLines(ctx context.Context, env environ, file string) ([]string, error) {
	uv := env.onPath("uv")
	if len(uv) == 0 {
		e := invalid(file+" can be read by uv alone, which is not on PATH", nil)
		e.Next = "install uv, or where it is: uv export --no-emit-project > requirements.txt, and name that file"
		return nil, e
	}
	bounded, cancel := context.WithTimeoutCause(ctx, probeLimit, fmt.Errorf("no answer in %s", probeLimit))
	defer cancel()
	dir := filepath.Dir(file)
	redactor := newRedactor(env)
	// From its own directory: local projects come out relative to it.
	out, err := group.Run(bounded, group.Command{Dir: dir, Env: env.forTools("").list(), Capture: true, Argv: []string{
		uv[0], "export", "--frozen", "--offline", "--no-dev", "--no-emit-project", "--no-header", "--no-annotate",
		"--no-python-downloads", "--format", "requirements-txt", "--project", dir}})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		e := invalid("cannot read "+file, err)
		e.Detail = redactor.clean(strings.Join(out.Tail, "\n"))
		e.Next = "run uv lock there, and see what uv export says"
		return nil, e
	}
	return logicalLines(string(out.Stdout)), nil
}
