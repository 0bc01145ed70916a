// Command goplugin is a plugin with go-plugin's own server and nothing else: the
// yardstick of row_plugins.go.
package main

import (
	"context"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/stephost/stephost/internal/version"
	"github.com/stephost/stephost/proto/stephost/lifeline"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func main() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  plugin.HandshakeConfig{MagicCookieKey: lifeline.CookieKey, MagicCookieValue: lifeline.CookieValue},
		VersionedPlugins: map[int]plugin.PluginSet{lifeline.Major: {"operator": served{}}},
		GRPCServer:       plugin.DefaultGRPCServer,
	})
}

type served struct{ plugin.NetRPCUnsupportedPlugin }

func (served) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	operatorv1.RegisterStepOperatorServer(s, operator{})
	return nil
}

func (served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

type operator struct {
	operatorv1.UnimplementedStepOperatorServer
}

func (operator) GetMetadata(context.Context, *operatorv1.GetMetadataRequest) (*operatorv1.GetMetadataResponse, error) {
	return &operatorv1.GetMetadataResponse{Flavor: "goplugin", Version: version.Version, Protocol: []int32{lifeline.Major}}, nil
}
