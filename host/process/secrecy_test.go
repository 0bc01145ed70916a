//go:build linux

package process

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestEnvironmentIsTheBaselineAndPassEnv(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Environ = func() []string {
			return []string{
				"PATH=/usr/bin:/bin", "HOME=/h", "LC_TIME=C", "XDG_CACHE_HOME=/c", "https_proxy=http://p",
				"AWS_PROFILE=dev", "AWS_REGION=eu-west-1", "GITHUB_TOKEN=t", "LD_PRELOAD=/evil.so",
				"STEPHOST_HOME=/s", "PLUGIN_CLIENT_CERT=forged", "STEPHOST_LIFELINE_FD=9", "broken", "=x",
			}
		}
	})
	s := spec()
	s.PassEnv = []string{"AWS_*", "PLUGIN_*", "STEPHOST_LIFELINE_FD"}
	p := acquire(t, r, s)

	block := environ(t, p.PID())
	names := make([]string, len(block))
	for i, kv := range block {
		names[i], _, _ = strings.Cut(kv, "=")
	}
	slices.Sort(names)
	require.Equal(t, []string{
		"AWS_PROFILE", "AWS_REGION", "GOGC", "HOME", "LC_TIME", "PATH",
		"PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR",
		"STEPHOST_LIFELINE_FD", "STEPHOST_PLUGIN", "XDG_CACHE_HOME", "https_proxy",
	}, names)
	require.NotContains(t, strings.Join(block, "\n"), "forged")

	require.Equal(t, []string{
		"AWS_PROFILE=dev", "AWS_REGION=eu-west-1", "HOME=/h", "LC_TIME=C", "PATH=/usr/bin:/bin",
		"XDG_CACHE_HOME=/c", "https_proxy=http://p",
	}, strings.Split(plan(t, p, "env"), "\n"), "what children of the author's code see")
}

func TestPassEnvThatIsRefused(t *testing.T) {
	for _, pattern := range []string{"*", "**", "?*", "", "[", "A=B"} {
		s := spec()
		s.PassEnv = []string{pattern}
		_, err := newRig(t).Acquire(within(t), s)
		require.ErrorContains(t, err, "pass_env", pattern)
	}
}

func TestTheKeyIsInNoEnvironmentAndNoArgument(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, spec())
	for _, file := range []string{"environ", "cmdline"} {
		text := read(t, filepath.Join("/proc", strconv.Itoa(p.PID()), file))
		require.NotContains(t, text, "PRIVATE")
		require.NotContains(t, text, "BEGIN")
	}
}

func TestChildrenOfThePluginInheritNothing(t *testing.T) {
	r := newRig(t)
	s := spec()
	s.Executable = opened(t)
	list := plan(t, acquire(t, r, s), "fds")
	for line := range strings.Lines(list) {
		if _, fd, ok := strings.Cut(line, " -> "); ok {
			require.NotContains(t, fd, "testflavor")
			n := fields(strings.TrimSuffix(line, " -> "+fd))
			require.LessOrEqual(t, atoi(n[len(n)-1]), 3, list) // 3 is ls itself, reading the directory.
		}
	}
}

func TestExecutedIsWhatWasOpened(t *testing.T) {
	r := newRig(t)
	s := spec()
	s.Executable = opened(t)
	p := acquire(t, r, s)
	exe, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.PID()), "exe"))
	require.NoError(t, err)
	require.Equal(t, "EOF", plan(t, p, "stdin"), "standard input is /dev/null")
	require.Contains(t, exe, "(deleted)", "the path was replaced after it was opened")
	require.Equal(t, "stephost-test\n", read(t, filepath.Join("/proc", strconv.Itoa(p.PID()), "comm")))
}

// opened opens a copy of the plugin and then replaces the path by something
// else, as an attacker or an upgrade would between check and start.
func opened(t *testing.T) func(context.Context) (*Executable, error) {
	file := filepath.Join(t.TempDir(), "testflavor")
	b, err := os.ReadFile(pluginFile)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, b, 0o700))
	return func(context.Context) (*Executable, error) {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		if err := os.Remove(file); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte("#!/bin/false\n"), 0o700); err != nil {
			return nil, err
		}
		return &Executable{Argv: []string{file}, File: f, Close: func() { f.Close() }}, nil
	}
}

func TestStrangersAreNotAnswered(t *testing.T) {
	for name, s := range map[string]Spec{"mutual": spec(), "auto": auto()} {
		t.Run(name, func(t *testing.T) {
			p := acquire(t, newRig(t), s)
			socket, err := filepath.Glob(filepath.Join(p.proc.st.socketDir, "*"))
			require.NoError(t, err)
			require.Len(t, socket, 1)
			pair, err := newKeyPair("stranger")
			require.NoError(t, err)
			stranger := tls.Certificate{Certificate: [][]byte{pair.der}, PrivateKey: pair.key}
			for what, creds := range map[string]credentials.TransportCredentials{
				"without TLS":           insecure.NewCredentials(),
				"without a certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
				"with another":          credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{stranger}}),
				"with the host's, keyless": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{{
					Certificate: p.proc.st.tls().Certificates[0].Certificate, PrivateKey: pair.key}}}),
			} {
				conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(creds),
					grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
						return (&net.Dialer{}).DialContext(ctx, "unix", socket[0])
					}))
				require.NoError(t, err)
				_, err = operatorv1.NewStepOperatorClient(conn).GetMetadata(within(t), &operatorv1.GetMetadataRequest{})
				require.Error(t, err, what)
				conn.Close()
			}
			require.NoError(t, p.Ping(within(t)))
		})
	}
}

func TestTheHostTalksToNobodyElse(t *testing.T) {
	pairs, err := newKeyPairs()
	require.NoError(t, err)
	other, err := newKeyPair("stephost plugin")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		cert *keyPair
		ok   bool
	}{"the plugin": {pairs.plugin, true}, "another": {other, false}} {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			server := tls.Server(b, &tls.Config{
				Certificates: []tls.Certificate{{Certificate: [][]byte{c.cert.der}, PrivateKey: c.cert.key}},
				ClientAuth:   tls.RequireAnyClientCert,
			})
			done := make(chan struct{})
			go func() { defer close(done); _ = server.HandshakeContext(within(t)); b.Close() }()
			err := tls.Client(a, pairs.client()).HandshakeContext(within(t))
			if c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, errStranger)
			}
			a.Close()
			<-done
		})
	}
}

// auto is a plugin that was built with go-plugin alone.
func auto() Spec {
	s := spec("--mode=plain")
	s.TLS = tlsAuto
	return s
}

func TestPluginsWithoutTheSDK(t *testing.T) {
	r := newRig(t)
	p := acquire(t, r, auto())
	require.Equal(t, "printed", plan(t, p, "stdout", "200000"), "somebody reads its stdio stream")
	eventually(t, "the output is logged", func() bool { return strings.Contains(r.log.String(), "the plugin printed") })
	require.NoError(t, r.Close(within(t)))
	require.False(t, alive(p.PID()))
}

func TestTheSDKServesWithAutoMTLSToo(t *testing.T) {
	s := spec()
	s.TLS = tlsAuto
	require.NoError(t, acquire(t, newRig(t), s).Ping(within(t)))
}

func TestADeadHost(t *testing.T) {
	for name, c := range map[string]struct{ mode, delay string }{
		"idle":                   {"sdk", ""},
		"with a Submit running":  {"sdk", "300ms"},
		"plugin without the SDK": {"plain", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "sp")
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			witness := filepath.Join(dir, "w")
			host := exec.Command(os.Args[0])
			host.Env = append(os.Environ(), hostMode+"="+c.mode, hostPlugin+"="+pluginFile,
				hostWitness+"="+witness, hostDelay+"="+c.delay, hostSockets+"="+dir+"/s")
			host.Stderr = os.Stderr
			out, err := host.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, host.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			pid := atoi(strings.TrimSpace(line))
			require.True(t, alive(pid))

			require.NoError(t, host.Process.Signal(syscall.SIGKILL))
			_ = host.Wait()
			eventually(t, "the plugin ends", func() bool { return !alive(pid) })
			if c.delay != "" {
				require.Equal(t, "submitted", read(t, witness), "a running Submit finishes, uncancelled")
			}
			if c.mode == "sdk" {
				require.Equal(t, "cancelled", read(t, witness+".plan"), "every other call is cancelled")
				left, _ := filepath.Glob(dir + "/s/*")
				require.Empty(t, left, "its socket is gone too")
			}
		})
	}
}

func TestSocketPathsThatAreTooLong(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 90))
	t.Setenv("TMPDIR", long)
	r := bareManager(t, long)
	p, err := r.Acquire(within(t), spec())
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(p.proc.st.socketDir, "/tmp/"), p.proc.st.socketDir)
	require.NoError(t, r.Close(within(t)))
	require.NoDirExists(t, p.proc.st.socketDir)
}

func bareManager(t *testing.T, sockets string) *Manager {
	m := NewManager(Options{SocketDir: sockets})
	t.Cleanup(func() { _ = m.Close(within(t)) })
	return m
}

func environ(t *testing.T, pid int) []string {
	t.Helper()
	block := strings.TrimSuffix(read(t, filepath.Join("/proc", strconv.Itoa(pid), "environ")), "\x00")
	return strings.Split(block, "\x00")
}
