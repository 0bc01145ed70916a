//go:build linux

package spark

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/kube"
)

// packagesJob calls a class of each package in executors.
const packagesJob = `from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print("master " + spark.sparkContext.master)
greeting, name = (f"java_method('org.example.{name}', 'text') {name}" for name in ("Greeting", "Name"))
print("said", *spark.range(1).selectExpr(greeting, name).first())
`

// packagesOfMaven: spark-submit resolves packages in the driver's pod: one of a
// repository of the step's own, what that one needs of the default repository, and
// nothing that is excluded. Executors get their classes from the driver. The API
// server is addressed by a name that the cluster resolves.
func packagesOfMaven(w *world, _ string) {
	maven := newMaven(w.t)
	maven.put("own", "greeting", "1.0", class("org/example/Greeting", "good day"), "name:2.0", "unwanted:3.0")
	maven.put("default", "name", "2.0", class("org/example/Name", "Ada"))
	const master = "k8s://https://kubernetes.default.svc:443"
	w.copied("named", "--master="+master)
	source := w.source(map[string]string{"packages.py": packagesJob})
	e := w.start(source, "--operator", "named", "--nodes", "1", "--set", `packages=["org.example:greeting:1.0"]`, "--set", `exclude_packages=["org.example:unwanted"]`,
		"--set", fmt.Sprintf(`repositories=[%q]`, maven.url+"/own/"), "--env", "DEFAULT_ARTIFACT_REPOSITORY="+maven.url+"/default/", "--", "python", "packages.py").wait()
	require.Zero(w.t, e.code, "%s\n%s", e.stdout, e.stderr)
	assert.Equal(w.t, "good day Ada", line(w.t, e.stdout, "said "))
	assert.Equal(w.t, master, line(w.t, e.stdout, "master "))
}

// maven is a repository that pods reach.
type maven struct {
	t     *testing.T
	files map[string][]byte
	url   string
}

func newMaven(t *testing.T) *maven {
	m := &maven{t: t, files: map[string][]byte{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, ok := m.files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	at := net.JoinHostPort(kube.NodeAddress, port)
	exposed, err := cluster.Expose(at, server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = exposed.Close() })
	m.url = "http://" + at
	return m
}

// put adds a package of org.example with one class, before anybody asks.
func (m *maven) put(repository, name, version string, class namedClass, needs ...string) {
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	f, err := z.Create(class.name + ".class")
	require.NoError(m.t, err)
	_, err = f.Write(class.data)
	require.NoError(m.t, err)
	require.NoError(m.t, z.Close())
	var dependencies strings.Builder
	for _, need := range needs {
		artifact, version, _ := strings.Cut(need, ":")
		fmt.Fprintf(&dependencies, "<dependency><groupId>org.example</groupId><artifactId>%s</artifactId><version>%s</version></dependency>", artifact, version)
	}
	at := fmt.Sprintf("/%s/org/example/%s/%s/%s-%s", repository, name, version, name, version)
	m.files[at+".jar"] = jar.Bytes()
	m.files[at+".pom"] = fmt.Appendf(nil, `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId><artifactId>%s</artifactId><version>%s</version><dependencies>%s</dependencies></project>`,
		name, version, &dependencies)
}

// namedClass is a compiled class and its name.
type namedClass struct {
	name string
	data []byte
}

// class compiles, so that no compiler is needed:
//
//	public class NAME { public static String text() { return SAYS; } }
//
// The format is that of the Java Virtual Machine Specification, chapter 4.
func class(name, says string) namedClass {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.BigEndian, v) // into memory
		}
	}
	text := func(s string) { put(uint8(1), uint16(len(s)), []byte(s)) }
	reference := func(kind uint8, to uint16) { put(kind, to) }
	put(uint32(0xCAFEBABE), uint16(0), uint16(52), uint16(10)) // Java 8; constants 1 to 9:
	text(name)
	reference(7, 1) // 2, the class
	text("java/lang/Object")
	reference(7, 3) // 4, its superclass
	text("text")
	text("()Ljava/lang/String;")
	text("Code")
	text(says)
	reference(8, 8)                                               // 9, the string
	put(uint16(0x21), uint16(2), uint16(4), uint16(0), uint16(0)) // public, no interfaces, no fields
	put(uint16(1), uint16(9), uint16(5), uint16(6), uint16(1))    // one method, public static, with one attribute:
	put(uint16(7), uint32(15), uint16(1), uint16(0), uint32(3))   // its code: one on the stack, no locals, three bytes
	put([]byte{0x12, 9, 0xB0}, uint16(0), uint16(0), uint16(0))   // ldc 9, areturn; no exceptions, no attributes; none of the class
	return namedClass{name: name, data: b.Bytes()}
}
