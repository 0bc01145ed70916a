package image

import (
	"archive/tar"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/requirements"
)

// bare is an image without Python.
func bare(t testing.TB) v1.Image {
	img, err := mutate.AppendLayers(empty.Image, layerOf(t, entry{name: "bin/sh", text: "#"}))
	require.NoError(t, err)
	cfg, err := img.ConfigFile()
	require.NoError(t, err)
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", "amd64"
	img, err = mutate.ConfigFile(img, cfg)
	require.NoError(t, err)
	return img
}

func TestFacts(t *testing.T) {
	glibc := func(v string) string { return "x GNU C Library (GNU libc) stable release version " + v + ".\n" }
	for _, tc := range []struct {
		name   string
		env    map[string]string
		layers [][]entry
		want   requirements.BaseFacts
	}{
		{"python image", nil, [][]entry{{
			{name: "usr/lib/x86_64-linux-gnu/libc.so.6", text: glibc("2.36")},
			{name: "usr/local/bin/python3.12", text: "ELF"}, {name: "usr/local/bin/python3", link: "python3.12"}, {name: "usr/local/bin/python", link: "python3"},
			{name: "usr/local/lib/python3.12/os.py"}, {name: "usr/local/lib/python3.12/site-packages/A.b_c-1.dist-info/METADATA", text: "Name: A.b_c\nVersion: 1\n"},
			{name: "usr/lib/python3/dist-packages/apt-2.dist-info/METADATA", text: "Name: apt\nVersion: 2\n"},
		}}, requirements.BaseFacts{Python: "3.12", Interpreter: "/usr/local/bin/python3", Libc: "glibc-2.36",
			Installed: map[string]string{"a-b-c": "1"}, SitePackages: []string{"/usr/local/lib/python3.12/site-packages"}}},

		{"debian", nil, [][]entry{{
			{name: "bin", link: "usr/bin"}, {name: "lib", link: "usr/lib"},
			{name: "usr/lib/x86_64-linux-gnu/libc.so.6", text: glibc("2.41")},
			{name: "usr/bin/python3.13", text: "ELF"}, {name: "usr/bin/python3", link: "python3.13"}, {name: "usr/lib/python3.13/os.py"},
			{name: "usr/lib/python3/dist-packages/numpy-2.2.4.egg-info/PKG-INFO", text: "Metadata-Version: 2.1\r\nName: numpy\r\nVersion: 2.2.4\r\n\r\nName: x\r\n"},
			{name: "usr/lib/python3/dist-packages/old-0.9.egg-info", text: "Name: old\nVersion: 0.9\n"},
		}, {
			{name: "usr/local/lib/python3.13/dist-packages/numpy-2.3.0.dist-info/METADATA", text: "Name: numpy\nVersion: 2.3.0\n"},
		}}, requirements.BaseFacts{Python: "3.13", Interpreter: "/usr/bin/python3", Libc: "glibc-2.41",
			Installed:    map[string]string{"numpy": "2.3.0", "old": "0.9"},
			SitePackages: []string{"/usr/local/lib/python3.13/dist-packages", "/usr/lib/python3/dist-packages"}}},

		{"conda before the system's", map[string]string{"PATH": "/opt/conda/bin:/usr/bin"}, [][]entry{{
			{name: "usr/bin/python3", text: "ELF"}, {name: "usr/lib/python3.10/os.py"},
			{name: "opt/conda/bin/python3.11", text: "ELF"}, {name: "opt/conda/bin/python", link: "python3.11"},
			{name: "opt/conda/lib/python3.11/site-packages/torch-2.6.0.dist-info/METADATA", text: "Name: torch\nVersion: 2.6.0+cu124\n"},
			{name: "opt/conda/lib/libc.so.6", text: glibc("2.17")}, {name: "lib/x86_64-linux-gnu/libc-2.31.so", text: glibc("2.31")},
		}}, requirements.BaseFacts{Python: "3.11", Interpreter: "/opt/conda/bin/python", Libc: "glibc-2.31",
			Installed: map[string]string{"torch": "2.6.0+cu124"}, SitePackages: []string{"/opt/conda/lib/python3.11/site-packages"}}},

		{"a virtual environment over the system's", map[string]string{"PATH": "/venv/bin:/usr/bin"}, [][]entry{{
			{name: "usr/bin/python3.11", text: "ELF"}, {name: "usr/bin/python3", link: "/usr/bin/python3.11"},
			{name: "usr/lib/python3.11/site-packages/sys-1.dist-info/METADATA", text: "Name: sys\nVersion: 1\n"},
			{name: "venv/pyvenv.cfg", text: "home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.11.2\n"},
			{name: "venv/bin/python3", link: "/usr/bin/python3"},
			{name: "venv/lib/python3.11/site-packages/own-2.dist-info/METADATA", text: "Name: own\nVersion: 2\n"},
		}}, requirements.BaseFacts{Python: "3.11", Interpreter: "/venv/bin/python3", Installed: map[string]string{"own": "2", "sys": "1"},
			SitePackages: []string{"/venv/lib/python3.11/site-packages", "/usr/lib/python3.11/site-packages"}}},

		{"alpine", nil, [][]entry{{
			{name: "lib/ld-musl-x86_64.so.1", text: "ELF"}, {name: "lib/apk/db/installed", text: "P:zlib\nV:1.3-r0\n\nP:musl\nV:1.2.5-r0\nA:x86_64\n\n"},
			{name: "usr/bin/python3.12", text: "ELF"}, {name: "usr/bin/python3", link: "python3.12"}, {name: "usr/lib/python3.12/os.py"},
		}}, requirements.BaseFacts{Python: "3.12", Interpreter: "/usr/bin/python3", Libc: "musl-1.2", Installed: map[string]string{},
			SitePackages: []string{"/usr/lib/python3.12/site-packages"}}},

		{"whiteouts and replacement", nil, [][]entry{{
			{name: "usr/local/bin/python3.11", text: "ELF"}, {name: "usr/local/bin/python3", link: "python3.11"},
			{name: site + "gone-1.dist-info/METADATA", text: "Name: gone\nVersion: 1\n"},
			{name: site + "stays-1.dist-info/METADATA", text: "Name: stays\nVersion: 1\n"},
			{name: "usr/bin/python3", text: "ELF"}, {name: "usr/lib/python3.9/os.py"},
			{name: "usr/lib/python3/dist-packages/x-1.dist-info/METADATA", text: "Name: x\nVersion: 1\n"},
		}, {
			{name: site + ".wh.gone-1.dist-info"}, {name: "usr/lib/python3/.wh..wh..opq"},
			{name: site + "stays-1.dist-info/METADATA", text: "Name: stays\nVersion: 1.1\n"},
		}}, requirements.BaseFacts{Python: "3.11", Interpreter: "/usr/local/bin/python3", Installed: map[string]string{"stays": "1.1"},
			SitePackages: []string{"/usr/local/lib/python3.11/site-packages"}}},

		{"hard links, a circle and odd names", nil, [][]entry{{
			{name: "./usr/bin/python3.11", text: "ELF"}, {name: "usr/bin/python3", typ: tar.TypeLink, link: "./usr/bin/python3.11"},
			{name: "usr/local/bin/python3", link: "python"}, {name: "usr/local/bin/python", link: "python3"},
			{name: "../../etc/python3", text: "x"}, {name: "usr/lib/python3.11/os.py"},
			{name: "usr/lib/python3.11/site-packages/bad.dist-info/METADATA", text: "no head"},
		}}, requirements.BaseFacts{Python: "3.11", Interpreter: "/usr/bin/python3", Installed: map[string]string{},
			SitePackages: []string{"/usr/lib/python3.11/site-packages"}}},

		{"nothing", nil, [][]entry{{{name: "bin/sh", text: "#"}}}, requirements.BaseFacts{Installed: map[string]string{}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var layers []*layerFacts
			for _, entries := range tc.layers {
				r, err := layerOf(t, entries...).Compressed()
				require.NoError(t, err)
				l, err := readLayer(r)
				require.NoError(t, err)
				layers = append(layers, l)
			}
			tc.want.Platform = "linux/amd64"
			assert.Equal(t, &tc.want, factsOf(layers, tc.env, "linux/amd64"))
		})
	}
}
