package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sort"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	// metadataLimit: GetMetadata answers from memory.
	metadataLimit = 2 * time.Second
	// handLimit bounds a start by a person.
	handLimit = 10 * time.Second
	// strangerLimit bounds the attempts of a stranger.
	strangerLimit = 3 * time.Second
	// exitMisuse is the exit code of a plugin that a person starts.
	exitMisuse = 125
)

func identityChecks() []check {
	return []check{
		{id: "identity.metadata", says: "GetMetadata tells flavor, version and major of the manifest, from memory", run: (*suite).checkMetadata},
		{id: "identity.digest", says: "GetMetadata tells the digest of the manifest", run: (*suite).checkDigest},
		{id: "identity.capabilities", says: "every capability of the manifest is implemented", run: (*suite).checkCapabilities},
		{id: "start.by-hand", says: "a person who starts the file gets a hint on standard error and exit code 125", run: (*suite).checkByHand},
		{id: "start.stranger", says: "a client without the host's certificate is not served", run: (*suite).checkStranger},
	}
}

func (s *suite) metadata(ctx context.Context) (*operatorv1.GetMetadataResponse, time.Duration, error) {
	p, err := s.plugin(ctx)
	if err != nil {
		return nil, 0, err
	}
	begun := time.Now()
	r, err := call(ctx, s, "GetMetadata", p.client.GetMetadata, &operatorv1.GetMetadataRequest{HostVersion: "plugintest"})
	return r, time.Since(begun), err
}

func (s *suite) checkMetadata(ctx context.Context) error {
	if _, _, err := s.metadata(ctx); err != nil {
		return err // the connection is up from here on
	}
	r, took, err := s.metadata(ctx)
	if err != nil {
		return err
	}
	s.sdk = r.GetSdk()
	var wrong []error
	if r.GetFlavor() != s.m.name {
		wrong = append(wrong, fmt.Errorf("the flavor is %q, in the manifest %q", printable(r.GetFlavor(), maxWord), s.m.name))
	}
	if r.GetVersion() != s.m.version {
		wrong = append(wrong, fmt.Errorf("the version is %q, in the manifest %q", printable(r.GetVersion(), maxWord), s.m.version))
	}
	if !slices.Contains(r.GetProtocol(), 1) {
		wrong = append(wrong, fmt.Errorf("it speaks majors %v, not 1", r.GetProtocol()))
	}
	if took > metadataLimit {
		wrong = append(wrong, fmt.Errorf("it took %s, more than %s", took.Round(time.Millisecond), metadataLimit))
	}
	return errors.Join(wrong...)
}

func (s *suite) checkDigest(ctx context.Context) error {
	r, _, err := s.metadata(ctx)
	switch {
	case err != nil:
		return err
	case r.GetManifestDigest() == s.m.digest:
		return nil
	case r.GetManifestDigest() == "" && !s.m.embedded:
		return nil // it knows none, and the manifest lies beside it
	}
	return fmt.Errorf("the digest is %q, that of the manifest is %q: the plugin was built with another one", printable(r.GetManifestDigest(), maxWord), s.m.digest)
}

// checkCapabilities asks for each declared capability with a request that can
// have no effect.
func (s *suite) checkCapabilities(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	t := s.target()
	ask := map[string]func() error{
		"plan": func() error { _, err := p.client.Plan(ctx, &operatorv1.PlanRequest{Target: t}); return err },
		"find": func() error {
			_, err := p.client.Find(ctx, &operatorv1.FindRequest{Target: t, By: &operatorv1.FindRequest_Key{Key: randomName()}})
			return err
		},
		"cancel": func() error {
			_, err := p.client.Cancel(ctx, &operatorv1.CancelRequest{Target: t, Key: randomName(), Handle: badHandle()})
			return err
		},
		"cleanup": func() error {
			_, err := p.client.Cleanup(ctx, &operatorv1.CleanupRequest{Target: t, Key: randomName(), Handle: badHandle()})
			return err
		},
		"registry_auth": func() error {
			_, err := p.client.RegistryAuth(ctx, &operatorv1.RegistryAuthRequest{Target: t, Registry: "registry.invalid:443", Repository: "plugintest"})
			return err
		},
		"logs": func() error {
			stream, err := p.client.Logs(ctx, &operatorv1.LogsRequest{Target: t, Key: randomName(), Handle: badHandle()})
			return first(ctx, stream, err)
		},
		"prepare": func() error {
			stream, err := p.client.Prepare(ctx, &operatorv1.PrepareRequest{Target: t})
			return first(ctx, stream, err)
		},
	}
	var missing []string
	for name, f := range ask {
		if s.caps[name] && status.Code(f()) == codes.Unimplemented {
			missing = append(missing, name)
			delete(s.caps, name) // one fault, one failure
		}
	}
	if len(missing) == 0 {
		return nil
	}
	sort.Strings(missing)
	return fmt.Errorf("the manifest declares %s, but the call answers UNIMPLEMENTED", strings.Join(missing, ", "))
}

func badHandle() *operatorv1.Handle {
	return &operatorv1.Handle{Version: 1, Data: []byte("\x00plugintest: no handle\xff")}
}

// first returns the error of a stream's first message. A stream that is silent
// is there.
func first[M any](ctx context.Context, stream grpc.ServerStreamingClient[M], err error) error {
	if err != nil {
		return err
	}
	result := make(chan error, 1)
	go func() { _, err := stream.Recv(); result <- err }()
	t := time.NewTimer(metadataLimit)
	defer t.Stop()
	select {
	case err := <-result:
		return err
	case <-t.C:
		return nil
	case <-ctx.Done():
		return nil
	}
}

func (s *suite) checkByHand(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, handLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = s.pluginEnv(), &stdout, &stderr, time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	var wrong []error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it was still running after %s", handLimit)
	case err != nil && !errors.As(err, &exit):
		return err
	}
	if code := cmd.ProcessState.ExitCode(); code != exitMisuse {
		wrong = append(wrong, fmt.Errorf("the exit code is %d", code))
	}
	if len(bytes.TrimSpace(stderr.Bytes())) == 0 {
		wrong = append(wrong, errors.New("nothing stands on standard error"))
	}
	if handshakeForm().Match(stdout.Bytes()) {
		wrong = append(wrong, errors.New("it printed a handshake line: it serves whoever starts it"))
	}
	return errors.Join(wrong...)
}

func (s *suite) checkStranger(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	if _, _, err := s.metadata(ctx); err != nil {
		return err
	}
	stranger, err := newKeyPair("a stranger")
	if err != nil {
		return err
	}
	var wrong []error
	for who, pair := range map[string]*keyPair{"without a certificate": nil, "with a certificate of its own": stranger} {
		conn, err := p.dial(pair)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, strangerLimit)
		_, err = operatorv1.NewStepOperatorClient(conn).GetMetadata(ctx, &operatorv1.GetMetadataRequest{})
		cancel()
		_ = conn.Close()
		if err == nil {
			wrong = append(wrong, fmt.Errorf("a client %s was answered", who))
		}
	}
	return errors.Join(wrong...)
}
