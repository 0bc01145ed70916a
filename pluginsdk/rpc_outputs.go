package pluginsdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/grpc"
)

const (
	// outputChunk is one message of data: a quarter of the contract's limit, so
	// that a slow host is not far behind, and large enough that the cost of a
	// message does not count.
	outputChunk = 256 << 10
	// maxVersion is the contract's limit for OutputFile.version.
	maxVersion = 1 << 10
)

// ReadOutput lists files, or sends one.
func (s *Server) ReadOutput(r *operatorv1.ReadOutputRequest, stream grpc.ServerStreamingServer[operatorv1.ReadOutputResponse]) error {
	ctx, c, err := s.begin(stream.Context(), r.GetTarget(), "ReadOutput", "key", r.GetKey(), "location", r.GetLocation())
	if err != nil {
		return refused(err)
	}
	if c.session.openOutput == nil {
		return absent(capReadOutput)
	}
	h, err := s.handle(r.GetHandle(), r.GetKey(), r.GetTarget())
	if err != nil {
		return refused(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	err = s.scopes.check(ctx, c, scopeAge)
	if err == nil {
		switch {
		case r.GetRead() != nil:
			err = readOutput(ctx, c, h, r, stream)
		case r.GetList() != nil:
			err = listOutput(ctx, c, h, r, stream)
		default:
			err = Config("", "the host did not say what to read of the output")
		}
	}
	var broken *sendError
	switch {
	case errors.As(err, &broken):
		return broken.err
	case ctx.Err() != nil:
		return streamEnd(ctx)
	case err == nil:
		return stream.Send(&operatorv1.ReadOutputResponse{Part: &operatorv1.ReadOutputResponse_Done_{Done: &operatorv1.ReadOutputResponse_Done{}}})
	case errors.Is(err, ErrNoOutput):
		return stream.Send(&operatorv1.ReadOutputResponse{Diagnostics: diagnosticsOf(&Error{Class: ClassLost, Err: err})})
	case askOf(err) != nil || isContext(err):
		return stream.Send(&operatorv1.ReadOutputResponse{Part: &operatorv1.ReadOutputResponse_CouldNotAsk{CouldNotAsk: couldNotAsk(err)}})
	}
	return stream.Send(&operatorv1.ReadOutputResponse{Diagnostics: diagnosticsOf(err)})
}

// sendError is a stream to the host that broke: nothing more can be said on it.
type sendError struct{ err error }

func (e *sendError) Error() string { return e.err.Error() }

func sendFile(stream grpc.ServerStreamingServer[operatorv1.ReadOutputResponse], f OutputFile, offset int64) error {
	err := stream.Send(&operatorv1.ReadOutputResponse{Part: &operatorv1.ReadOutputResponse_File{File: &operatorv1.OutputFile{
		Name: f.Name, Bytes: f.Bytes, Version: bound(f.Version, maxVersion), ModifiedAt: timestampOf(f.ModifiedAt), Offset: offset}}})
	if err != nil {
		return &sendError{err}
	}
	return nil
}

func listOutput(ctx context.Context, c *call, h Handle, r *operatorv1.ReadOutputRequest, stream grpc.ServerStreamingServer[operatorv1.ReadOutputResponse]) error {
	var files []OutputFile
	if err := guard(ctx, "OutputFiles", func() (err error) {
		files, err = c.session.outputFiles(ctx, h, r.GetLocation())
		return err
	}); err != nil {
		return err
	}
	if len(files) == 0 {
		return ErrNoOutput
	}
	for _, f := range files {
		if err := sendFile(stream, f, 0); err != nil {
			return err
		}
	}
	return nil
}

// readOutput sends a file from the offset of the request, or from its beginning
// where what the host has is of another version.
func readOutput(ctx context.Context, c *call, h Handle, r *operatorv1.ReadOutputRequest, stream grpc.ServerStreamingServer[operatorv1.ReadOutputResponse]) error {
	read := OutputRead{Location: r.GetLocation(), Name: r.GetRead().GetName(), Offset: r.GetRead().GetOffset()}
	if err := checkOutputName(read.Name); err != nil {
		return err
	}
	if read.Offset < 0 {
		return Config("", "an offset of %d bytes", read.Offset)
	}
	f, body, done, err := c.open(ctx, h, read)
	other := err == nil && (bound(f.Version, maxVersion) != r.GetRead().GetVersion() || f.Bytes >= 0 && f.Bytes < read.Offset)
	if read.Offset > 0 && (other || errors.Is(err, ErrOutputRange)) {
		done()
		read.Offset = 0
		f, body, done, err = c.open(ctx, h, read)
	}
	if err != nil {
		return err
	}
	defer done()
	if err := sendFile(stream, f, read.Offset); err != nil {
		return err
	}
	return sendBytes(ctx, f, read.Offset, body, stream)
}

func sendBytes(ctx context.Context, f OutputFile, at int64, body io.Reader, stream grpc.ServerStreamingServer[operatorv1.ReadOutputResponse]) error {
	buffer := make([]byte, outputChunk)
	for {
		var n int
		err := guard(ctx, "OpenOutput", func() (err error) { n, err = fill(body, buffer); return err })
		if f.Bytes >= 0 && at+int64(n) > f.Bytes {
			return Unreachable(errors.New("the file grew while it was read"))
		}
		if n > 0 {
			at += int64(n)
			// The codec has taken the bytes when Send returns.
			if err := stream.Send(&operatorv1.ReadOutputResponse{Part: &operatorv1.ReadOutputResponse_Data{Data: buffer[:n]}}); err != nil {
				return &sendError{err}
			}
		}
		var known *Error
		var panicked *PanicError
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && f.Bytes >= 0 && at < f.Bytes:
			return Unreachable(fmt.Errorf("the transfer ended after %d of %d bytes", at, f.Bytes))
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &known), errors.As(err, &panicked):
			return err
		default:
			return Unreachable(err)
		}
	}
}

// fill is io.ReadFull, but tells the end of a file from a connection that broke:
// both are io.ErrUnexpectedEOF there.
func fill(r io.Reader, buffer []byte) (n int, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = r.Read(buffer[n:])
		n += more
	}
	return n, err
}

// open opens a file. What is returned is closed once, and also when ctx ends:
// reading blocks in the author's code, which may know nothing of ctx.
func (c *call) open(ctx context.Context, h Handle, r OutputRead) (f OutputFile, body io.Reader, done func(), err error) {
	var opened io.ReadCloser
	err = guard(ctx, "OpenOutput", func() (err error) { f, opened, err = c.session.openOutput(ctx, h, r); return err })
	if err == nil && opened == nil {
		err = System(errors.New("the flavor's OpenOutput returned nothing to read"))
	}
	if err != nil {
		return f, nil, func() {}, err
	}
	f.Name = r.Name
	closeOnce := sync.OnceFunc(func() { _ = opened.Close() }) // everything that matters was read
	stop := context.AfterFunc(ctx, closeOnce)
	return f, opened, func() { stop(); closeOnce() }, nil
}
