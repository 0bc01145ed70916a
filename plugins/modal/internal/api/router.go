package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"time"

	pb "github.com/modal-labs/modal-client/go/proto/modal_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// Keepalive of the connections to machines, as the SDK has it: a machine that is
// taken away must not look like a step that prints nothing.
const (
	routerPing    = 30 * time.Second
	routerTimeout = 10 * time.Second
	// mostRouters bounds the open connections; one that is idle costs a socket.
	mostRouters = 256
)

// Stdio opens a stream of the output of a sandbox of the newer backend, from an
// offset on. Its machine serves it, not the control plane.
func (c *Client) Stdio(ctx context.Context, sandbox, task string, fd pb.SandboxStdioFileDescriptor, offset uint64) (grpc.ServerStreamingClient[pb.SandboxStdioReadV2Response], error) {
	access, err := c.Stub.SandboxGetCommandRouterAccess(ctx, pb.SandboxGetCommandRouterAccessRequest_builder{SandboxId: &sandbox}.Build())
	if err != nil {
		return nil, err
	}
	conn, err := c.router(access.GetUrl())
	if err != nil {
		return nil, err
	}
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+access.GetJwt())
	return pb.NewTaskCommandRouterClient(conn).SandboxStdioReadV2(ctx, pb.SandboxStdioReadV2Request_builder{
		TaskId: task, Offset: offset, FileDescriptor: fd,
	}.Build())
}

// router is the connection to a machine. Sandboxes share machines.
func (c *Client) router(address string) (*grpc.ClientConn, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("the address of the machine is %q, which is no https address", address)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	target := u.Hostname() + ":" + port
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the client is closed")
	}
	if conn := c.routers[target]; conn != nil {
		return conn, nil
	}
	creds := credentials.NewTLS(&tls.Config{})
	if c.local() {
		creds = insecure.NewCredentials()
	}
	conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(creds),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: routerPing, Timeout: routerTimeout}))
	if err != nil {
		return nil, err
	}
	if len(c.routers) >= mostRouters {
		c.forget()
	}
	c.routers[target] = conn
	return conn, nil
}

// forget drops the connections that are idle; c.mu is held. gRPC makes a
// connection idle that nothing has used for half an hour.
func (c *Client) forget() {
	for target, conn := range c.routers {
		if conn.GetState().String() == "IDLE" {
			_ = conn.Close()
			delete(c.routers, target)
		}
	}
}
