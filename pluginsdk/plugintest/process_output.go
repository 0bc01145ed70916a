package plugintest

import (
	"context"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// maxCapture bounds what is kept of a plugin's output; the rest is read and
// dropped, so that it never blocks the plugin.
const maxCapture = 8 << 20

// capture keeps the beginning of what a process prints. Safe for concurrent use.
type capture struct {
	mu   sync.Mutex
	data []byte
}

func (c *capture) add(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if room := maxCapture - len(c.data); room > 0 {
		c.data = append(c.data, b[:min(room, len(b))]...)
	}
}

func (c *capture) copy(r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		c.add(buf[:n])
		if err != nil {
			return
		}
	}
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.data)
}

// Fields of go-plugin's StdioData, and its value for standard error.
const (
	stdioChannel = 1
	stdioData    = 2
	stdioStderr  = 2
)

// drainStdio reads go-plugin's stream of what the plugin's code printed, until
// the connection ends. A plugin without that service answers UNIMPLEMENTED.
func (p *process) drainStdio() {
	stream, err := p.conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true}, "/plugin.GRPCStdio/StreamStdio")
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	for {
		// Empty keeps the fields that it does not know as they came.
		var m emptypb.Empty
		if stream.RecvMsg(&m) != nil {
			return
		}
		p.printed(m.ProtoReflect().GetUnknown())
	}
}

func (p *process) printed(fields []byte) {
	to := p.stdout
	for len(fields) > 0 {
		number, kind, n := protowire.ConsumeTag(fields)
		if n < 0 {
			return
		}
		fields = fields[n:]
		switch {
		case number == stdioChannel && kind == protowire.VarintType:
			v, n := protowire.ConsumeVarint(fields)
			if n < 0 {
				return
			}
			if v == stdioStderr {
				to = p.stderr
			}
			fields = fields[n:]
		case number == stdioData && kind == protowire.BytesType:
			b, n := protowire.ConsumeBytes(fields)
			if n < 0 {
				return
			}
			to.add(b)
			fields = fields[n:]
		default:
			n := protowire.ConsumeFieldValue(number, kind, fields)
			if n < 0 {
				return
			}
			fields = fields[n:]
		}
	}
}
