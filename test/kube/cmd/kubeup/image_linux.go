package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// busybox is the statically linked shell of the test image.
const busybox = "/bin/busybox"

// image is an OCI image in an archive that `ctr images import` reads.
type image struct {
	archive bytes.Buffer
	digest  string // of its manifest
}

// newImage is an image named ref of one layer: busybox and its applets. Without
// a command of its own it sleeps, which is all that a pod's sandbox has to do.
func newImage(ref string) (*image, error) {
	layer, err := busyboxLayer()
	if err != nil {
		return nil, err
	}
	type object map[string]any
	blob := func(mediaType string, data []byte) object {
		return object{"mediaType": mediaType, "digest": digest(data), "size": len(data)}
	}
	encode := func(o object) []byte {
		data, err := json.Marshal(o)
		if err != nil {
			panic(err) // maps of strings and numbers
		}
		return data
	}
	config := encode(object{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": object{"Env": []string{"PATH=/bin:/usr/bin"}, "Cmd": []string{"/bin/sleep", "2147483647"}},
		"rootfs": object{"type": "layers", "diff_ids": []string{digest(layer)}},
	})
	manifest := encode(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": blob("application/vnd.oci.image.config.v1+json", config),
		"layers": []object{blob("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	entry := blob("application/vnd.oci.image.manifest.v1+json", manifest)
	entry["annotations"] = object{"io.containerd.image.name": ref}
	index := encode(object{"schemaVersion": 2, "manifests": []object{entry}})

	im := &image{digest: digest(manifest)}
	t := tar.NewWriter(&im.archive)
	put := func(name string, data []byte) {
		_ = t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))}) // into memory
		_, _ = t.Write(data)
	}
	put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	put("index.json", index)
	for _, data := range [][]byte{config, layer, manifest} {
		put("blobs/sha256/"+strings.TrimPrefix(digest(data), "sha256:"), data)
	}
	return im, t.Close()
}

func digest(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }

// busyboxLayer is a root file system: busybox, a link for each applet, and what
// programs expect of /etc and /tmp.
func busyboxLayer() ([]byte, error) {
	program, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --list: %w", busybox, err)
	}
	var layer bytes.Buffer
	t := tar.NewWriter(&layer)
	put := func(h tar.Header, data []byte) {
		h.Size = int64(len(data))
		_ = t.WriteHeader(&h) // into memory
		_, _ = t.Write(data)
	}
	for _, dir := range []string{"bin", "etc", "root", "usr", "usr/bin"} {
		put(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	put(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	put(tar.Header{Name: "bin/busybox", Mode: 0o755}, program)
	for name := range strings.FieldsSeq(string(applets)) {
		if name != "busybox" {
			put(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}, nil)
		}
	}
	put(tar.Header{Typeflag: tar.TypeSymlink, Name: "usr/bin/env", Linkname: "/bin/busybox", Mode: 0o777}, nil)
	put(tar.Header{Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"))
	put(tar.Header{Name: "etc/group", Mode: 0o644}, []byte("root:x:0:\nnogroup:x:65534:\n"))
	return layer.Bytes(), t.Close()
}
