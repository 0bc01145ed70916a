package image

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/host/environment/requirements"
)

// factsFormat is part of the name of what is kept: it changes when more is read.
const factsFormat = "facts-1"

// layersAtOnce is how many layers of a base are read at the same time: one for
// the network, one for unpacking.
const layersAtOnce = 2

// facts is what the base has. It is read from its layers once for each digest.
func (b *base) facts(ctx context.Context, say func(string, ...any), fetch bool) (*requirements.BaseFacts, error) {
	kept := b.cache.path(factsFormat, hexOf(b.digest))
	f := &requirements.BaseFacts{}
	if b.cache.readJSON(kept, f) {
		return f, nil
	}
	unlock, err := b.cache.lock(ctx, keyOf(factsFormat, b.digest))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if b.cache.readJSON(kept, f) {
		return f, nil
	}
	layers, err := b.readLayers(ctx, say, fetch)
	if err != nil {
		return nil, err
	}
	f = factsOf(layers, envOf(b.config.Config.Env), b.platform.String())
	return f, b.cache.writeJSON(kept, f)
}

// readLayers reads all layers; those that will be sent elsewhere are kept
// meanwhile, so that they travel once.
func (b *base) readLayers(ctx context.Context, say func(string, ...any), fetch bool) ([]*layerFacts, error) {
	s, err := b.session(ctx, func(ctx context.Context, s *session) error {
		_, err := s.has(ctx, b.manifest.Config.Digest.String())
		return err
	})
	if err != nil {
		return nil, err
	}
	p := newProgress(say, "reading the base image", b.layerBytes())
	out := make([]*layerFacts, len(b.manifest.Layers))
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(layersAtOnce)
	for i, l := range b.manifest.Layers {
		if !l.MediaType.IsDistributable() {
			out[i] = &layerFacts{}
			continue
		}
		g.Go(func() error {
			digest := l.Digest.String()
			if fetch {
				f, err := b.cache.fetched(all, s, digest, l.Size, p.add)
				if err != nil {
					return b.failed(s, err)
				}
				defer f.Close()
				out[i], err = readLayer(f)
				return err
			}
			d := s.download(all, digest, l.Size, p.add)
			defer d.Close()
			var err error
			out[i], err = readLayer(d)
			return b.failed(s, err)
		})
	}
	return out, g.Wait()
}

func (b *base) failed(s *session, err error) error {
	if err == nil {
		return nil
	}
	return &registryError{repo: s.repo, source: s.source, err: err}
}

func envOf(list []string) map[string]string {
	m := make(map[string]string, len(list))
	for _, kv := range list {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return m
}

// rootfs is what shows of all layers together.
type rootfs struct{ files, links map[string]string }

func merge(layers []*layerFacts) rootfs {
	fs := rootfs{files: map[string]string{}, links: map[string]string{}}
	remove := func(prefix string, itself bool) {
		for _, m := range []map[string]string{fs.files, fs.links} {
			maps.DeleteFunc(m, func(p, _ string) bool {
				return itself && p == prefix || prefix == "" || strings.HasPrefix(p, prefix+"/")
			})
		}
	}
	for _, l := range layers {
		for _, p := range l.opaque {
			remove(p, false)
		}
		for _, p := range l.gone {
			remove(p, true)
		}
		for p := range l.links {
			delete(fs.files, p)
		}
		for p := range l.files {
			delete(fs.links, p)
		}
		maps.Copy(fs.files, l.files)
		maps.Copy(fs.links, l.links)
	}
	return fs
}

// resolve follows links; p has no leading slash.
func (fs rootfs) resolve(p string) string {
	const maxHops = 40 // as in Linux
	for range maxHops {
		next, found := "", false
		parts := strings.Split(p, "/")
		for i := range parts {
			at := strings.Join(parts[:i+1], "/")
			target, ok := fs.links[at]
			if !ok {
				continue
			}
			if !strings.HasPrefix(target, "/") {
				target = "/" + path.Join(path.Dir(at), target)
			}
			next, found = strings.TrimPrefix(path.Join(append([]string{path.Clean(target)}, parts[i+1:]...)...), "/"), true
			break
		}
		if !found {
			return p
		}
		p = next
	}
	return p
}

func (fs rootfs) has(p string) bool { _, ok := fs.files[fs.resolve(p)]; return ok }

// defaultPath is what a container gets when its config has no PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func pathOf(env map[string]string) string {
	if p := env["PATH"]; p != "" {
		return p
	}
	return defaultPath
}

// factsOf judges what the layers hold.
func factsOf(layers []*layerFacts, env map[string]string, platform string) *requirements.BaseFacts {
	fs := merge(layers)
	f := &requirements.BaseFacts{Platform: platform, Libc: fs.libc(), Installed: map[string]string{}}
	if !fs.python(f, env) {
		return f
	}
	// The first directory wins, as in Python's own search.
	for _, site := range slices.Backward(f.SitePackages) {
		dir := fs.resolve(strings.TrimPrefix(site, "/"))
		for p, text := range fs.files {
			rest, ok := strings.CutPrefix(p, dir+"/")
			if !ok || strings.Count(rest, "/") > 1 || !strings.Contains(rest, "-info") {
				continue
			}
			if name, version, ok := strings.Cut(text, "=="); ok {
				f.Installed[name] = version
			}
		}
	}
	return f
}

func (fs rootfs) libc() string {
	var found []string
	musl := ""
	for p, text := range fs.files {
		base := path.Base(p)
		switch {
		case strings.HasPrefix(base, "libc") && strings.HasPrefix(text, "glibc-"):
			found = append(found, p)
		case strings.HasPrefix(base, "ld-musl-") && musl == "":
			musl = "musl-1.2"
		case base == "installed" && strings.HasPrefix(text, "musl-"):
			musl = text
		}
	}
	for p := range fs.links {
		if strings.HasPrefix(path.Base(p), "ld-musl-") && musl == "" {
			musl = "musl-1.2"
		}
	}
	if len(found) == 0 {
		return musl
	}
	// The system's own before one that somebody put beside, such as conda's.
	slices.SortFunc(found, func(a, b string) int {
		return strings.Compare(systemFirst(a), systemFirst(b))
	})
	return fs.files[found[0]]
}

func systemFirst(p string) string {
	for i, dir := range []string{"lib/", "lib64/", "usr/lib/", "usr/lib64/"} {
		if strings.HasPrefix(p, dir) {
			return string(rune('0'+i)) + p
		}
	}
	return "9" + p
}

// python finds the interpreter that the base's PATH leads to, and where its
// packages are.
func (fs rootfs) python(f *requirements.BaseFacts, env map[string]string) bool {
	for dir := range strings.SplitSeq(pathOf(env), ":") {
		for _, name := range []string{"python3", "python"} {
			p := strings.TrimPrefix(path.Join("/", dir, name), "/")
			if dir == "" || !fs.has(p) {
				continue
			}
			if version, prefix, sites := fs.installation(p); version != "" {
				f.Interpreter, f.Python = "/"+p, version
				f.SitePackages = fs.sitePackages(prefix, version, sites)
				return true
			}
		}
	}
	return false
}

// installation reads version and prefix of an interpreter. more are site-packages
// of what lies under a virtual environment.
func (fs rootfs) installation(p string) (version, prefix string, more []string) {
	if cfg, ok := fs.files[path.Join(path.Dir(path.Dir(p)), "pyvenv.cfg")]; ok {
		values := map[string]string{}
		for line := range strings.Lines(cfg) {
			k, v, _ := strings.Cut(line, "=")
			values[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
		under, underPrefix, _ := fs.installation(fs.resolve(p))
		version = under
		for _, key := range []string{"version", "version_info"} {
			if parts := strings.SplitN(values[key], ".", 3); len(parts) >= 2 {
				version = parts[0] + "." + parts[1]
			}
		}
		if version != "" && strings.EqualFold(values["include-system-site-packages"], "true") && underPrefix != "" {
			more = fs.sitePackages(underPrefix, version, nil)
		}
		return version, "/" + path.Dir(path.Dir(p)), more
	}
	real := fs.resolve(p)
	prefix = path.Dir(path.Dir(real))
	if v, ok := strings.CutPrefix(path.Base(real), "python3."); ok {
		return "3." + v, "/" + strings.TrimPrefix(prefix, "."), nil
	}
	// Only the library says it.
	for file := range fs.files {
		if rest, ok := strings.CutPrefix(file, path.Join(prefix, "lib")+"/python3."); ok && strings.HasSuffix(rest, "/os.py") && strings.Count(rest, "/") == 1 {
			return "3." + strings.TrimSuffix(rest, "/os.py"), "/" + prefix, nil
		}
	}
	return "", "", nil
}

// sitePackages are the directories that the interpreter searches, in its order.
// Debian's python3 has names of its own: https://wiki.debian.org/Python
func (fs rootfs) sitePackages(prefix, version string, more []string) []string {
	candidates := []string{path.Join(prefix, "lib", "python"+version, "site-packages")}
	debian := prefix == "/usr" && (fs.has("usr/lib/python3/dist-packages") || fs.under("usr/lib/python3/dist-packages/"))
	if debian {
		candidates = []string{"/usr/local/lib/python" + version + "/dist-packages", "/usr/lib/python3/dist-packages", "/usr/lib/python" + version + "/dist-packages"}
	}
	var out []string
	for _, c := range candidates {
		if p := strings.TrimPrefix(c, "/"); fs.has(p) || fs.under(fs.resolve(p)+"/") {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		out = candidates[:1]
	}
	return append(out, more...)
}

func (fs rootfs) under(prefix string) bool {
	for p := range fs.files {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}
