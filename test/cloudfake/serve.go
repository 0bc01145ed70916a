package cloudfake

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// lateMost bounds a request that is carried out behind its connection.
const lateMost = time.Minute

// Serve counts a call of an HTTP service, lets its fault befall it, and else
// answers with next. refuse writes a fault as the service would say it; it is
// given the kinds from Throttled to Capacity only. The body is body: it was read
// to know what the call is about.
func (p *Plan) Serve(w http.ResponseWriter, r *http.Request, body []byte, op string, about []string,
	refuse func(http.ResponseWriter, Fault), next http.HandlerFunc) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	f := p.Call(op, about...)
	if f == nil {
		next(w, r)
		return
	}
	switch f.Kind {
	case Drop:
		panic(http.ErrAbortHandler)
	case ReplyLost:
		next(&nowhere{}, r)
		panic(http.ErrAbortHandler)
	case LandsLate:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), lateMost)
		late := r.Clone(ctx)
		late.Body = io.NopCloser(bytes.NewReader(body))
		time.AfterFunc(ms(f.DelayMS), func() {
			defer cancel()
			next(&nowhere{}, late)
		})
		panic(http.ErrAbortHandler)
	case Slow:
		next(w, r)
		pause(r.Context(), ms(f.DelayMS))
	case Cut:
		next(&cut{ResponseWriter: w, left: f.Bytes}, r)
	default:
		refuse(w, *f)
	}
}

// cut closes the connection behind so many bytes of the answer.
type cut struct {
	http.ResponseWriter
	left int64
}

func (c *cut) Write(b []byte) (int, error) {
	if int64(len(b)) <= c.left {
		c.left -= int64(len(b))
		return c.ResponseWriter.Write(b)
	}
	_, _ = c.ResponseWriter.Write(b[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush() // what was sent arrives
	panic(http.ErrAbortHandler)
}

// pause waits; the answer is small enough to stay in the server's buffer until
// then.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// nowhere is where an answer goes that is lost.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header {
	if n.header == nil {
		n.header = http.Header{}
	}
	return n.header
}

func (*nowhere) Write(b []byte) (int, error) { return len(b), nil }

func (*nowhere) WriteHeader(int) {}
