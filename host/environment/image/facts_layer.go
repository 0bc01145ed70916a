package image

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Limits of what is kept of a base: it comes from strangers.
const (
	// metadataLimit is how much of a METADATA file is read: the name and the
	// version stand in its head.
	metadataLimit = 64 << 10
	// libcLimit bounds the reading of a libc, about 2 MiB.
	libcLimit = 16 << 20
	// apkLimit bounds the package database of Alpine.
	apkLimit = 16 << 20
	// linksLimit bounds the links of one layer; more are forgotten.
	linksLimit = 200_000
)

// layerFacts is what one layer adds and takes away. Paths have no leading slash.
type layerFacts struct {
	// files are the few that matter, with what matters of their content.
	files map[string]string
	links map[string]string
	// gone are paths that the layer removes, opaque directories of which nothing of
	// the layers below shows.
	gone, opaque []string
}

// uncompressed reads a layer in whatever form it is.
func uncompressed(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(b), nil
}

// readLayer reads a whole layer, to its last byte, so that its digest is checked.
func readLayer(compressed io.Reader) (*layerFacts, error) {
	r, err := uncompressed(compressed)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	l := &layerFacts{files: map[string]string{}, links: map[string]string{}}
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := l.entry(h, t); err != nil {
			return nil, err
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, compressed)
	return l, err
}

func (l *layerFacts) entry(h *tar.Header, r io.Reader) error {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	dir, base := path.Split(name)
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case base == ".wh..wh..opq":
		l.opaque = append(l.opaque, dir)
		return nil
	case strings.HasPrefix(base, ".wh."):
		l.gone = append(l.gone, path.Join(dir, strings.TrimPrefix(base, ".wh.")))
		return nil
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		if len(l.links) < linksLimit {
			l.links[name] = h.Linkname
		}
	case tar.TypeLink:
		// A second name of a file of this layer.
		if text, ok := l.files[strings.TrimPrefix(path.Clean("/"+h.Linkname), "/")]; ok || isPython(base) {
			l.files[name] = text
		}
	case tar.TypeDir:
		if base == "site-packages" || base == "dist-packages" {
			l.files[name] = ""
		}
	case tar.TypeReg:
		return l.file(name, dir, base, r)
	}
	return nil
}

// file keeps what says which Python, libc and packages there are.
func (l *layerFacts) file(name, dir, base string, r io.Reader) error {
	parent := path.Base(dir)
	switch {
	case isPython(base) && parent == "bin":
		l.files[name] = ""
	case base == "os.py" && strings.HasPrefix(parent, "python"):
		l.files[name] = ""
	case base == "pyvenv.cfg":
		text, err := io.ReadAll(io.LimitReader(r, metadataLimit))
		l.files[name] = string(text)
		return err
	case base == "METADATA" && strings.HasSuffix(parent, ".dist-info"), base == "PKG-INFO" && strings.HasSuffix(parent, ".egg-info"),
		strings.HasSuffix(base, ".egg-info"):
		text, err := distribution(io.LimitReader(r, metadataLimit))
		if text != "" {
			l.files[name] = text
		}
		return err
	case base == "libc.so.6", strings.HasPrefix(base, "libc-2.") && strings.HasSuffix(base, ".so"):
		version, err := glibcVersion(io.LimitReader(r, libcLimit))
		if version != "" {
			l.files[name] = version
		}
		return err
	case strings.HasPrefix(base, "ld-musl-"):
		l.files[name] = ""
	case name == "lib/apk/db/installed" || name == "usr/lib/apk/db/installed":
		version, err := muslVersion(io.LimitReader(r, apkLimit))
		l.files[name] = version
		return err
	}
	return nil
}

// isPython is for "python", "python3" and "python3.11".
func isPython(base string) bool {
	rest, ok := strings.CutPrefix(base, "python")
	return ok && (rest == "" || rest == "3" || strings.HasPrefix(rest, "3.") && strings.Trim(rest[2:], "0123456789") == "")
}

// distribution is "name==version" out of the head of a METADATA or PKG-INFO.
func distribution(r io.Reader) (string, error) {
	var name, version string
	b := bufio.NewReader(r)
	for name == "" || version == "" {
		line, err := b.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if key, value, ok := strings.Cut(line, ":"); ok {
			switch strings.ToLower(key) {
			case "name":
				name = normalised(strings.TrimSpace(value))
			case "version":
				version = strings.TrimSpace(value)
			}
		}
		if errors.Is(err, io.EOF) || line == "" {
			break // the head ends with an empty line
		}
		if err != nil {
			return "", err
		}
	}
	if name == "" || version == "" {
		return "", nil
	}
	return name + "==" + version, nil
}

// normalised is the form of PEP 503.
func normalised(name string) string {
	var b strings.Builder
	dash := false
	for _, r := range strings.ToLower(name) {
		if r == '-' || r == '_' || r == '.' {
			dash = true
			continue
		}
		if dash && b.Len() > 0 {
			b.WriteByte('-')
		}
		dash = false
		b.WriteRune(r)
	}
	return b.String()
}

var glibcBanner = sync.OnceValue(func() *regexp.Regexp {
	// "GNU C Library (Debian GLIBC 2.36-9+deb12u9) stable release version 2.36."
	return regexp.MustCompile(`GNU C Library [^\n]*? version (2\.[0-9]+)`)
})

// glibcVersion finds the banner that the library prints when it is run.
func glibcVersion(r io.Reader) (string, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	if m := glibcBanner().FindSubmatch(data); m != nil {
		return "glibc-" + string(m[1]), nil
	}
	return "", nil
}

// muslVersion reads Alpine's database: "P:musl" and, in the same paragraph,
// "V:1.2.5-r0".
func muslVersion(r io.Reader) (string, error) {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	name, version := "", ""
	for s.Scan() {
		switch line := s.Text(); {
		case line == "":
			name, version = "", ""
		case strings.HasPrefix(line, "P:"):
			name = line[2:]
		case strings.HasPrefix(line, "V:"):
			version = line[2:]
		}
		if name == "musl" && version != "" {
			parts := strings.SplitN(version, ".", 3)
			if len(parts) >= 2 {
				return fmt.Sprintf("musl-%s.%s", parts[0], strings.TrimFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })), nil
			}
		}
	}
	return "", s.Err()
}
