package pluginsdk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

// Limits of a Cache.
const (
	// cacheSize: an operator has one set of credentials; 64 leaves room for every
	// operator of a host and for one renewal of each.
	cacheSize = 64
	// cacheIdle: longer than any polling pause, short enough that a client with
	// old credentials goes away.
	cacheIdle = 15 * time.Minute
)

// Cache keeps backend clients between calls, because one plugin process serves
// many operators and every call carries its config anew. It holds at most 64
// entries and drops one that nobody asked for during 15 minutes. The zero Cache
// is ready; it may be used from several goroutines and must not be copied.
type Cache[T any] struct {
	// Release, if any, is called for an entry that is dropped. A call that got it
	// earlier may still be using it.
	Release func(T)

	mu      sync.Mutex
	entries map[string]*cacheEntry[T]
	now     func() time.Time // for tests
}

type cacheEntry[T any] struct {
	ready chan struct{} // closed when value or err is set
	value T
	err   error
	used  time.Time
}

// Key makes the key of a Cache entry: a digest over parts, Secrets by their
// value. Give it all that makes a client another one: the place and the
// credentials, not the whole config.
func Key(parts ...any) string {
	h := sha256.New()
	for _, p := range parts {
		var b []byte
		switch v := p.(type) {
		case string:
			b = []byte(v)
		case []byte:
			b = v
		case Secret:
			b = []byte(v.Reveal())
		case *Secret:
			if v != nil {
				b = []byte(v.Reveal())
			}
		default:
			b = fmt.Appendf(nil, "%T:%v", p, p)
		}
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Get returns the entry of key, made by make when there is none. Several calls
// for one key make it once. An error is returned to all who waited, and not
// kept.
func (c *Cache[T]) Get(ctx context.Context, key string, make func(context.Context) (T, error)) (T, error) {
	e, mine, dropped := c.entry(key)
	c.release(dropped)
	if !mine {
		select {
		case <-e.ready:
		case <-ctx.Done():
			var zero T
			return zero, ctx.Err()
		}
		// Who made it may have been cancelled alone: that is not our error.
		if e.err != nil && ctx.Err() == nil && isContext(e.err) {
			return c.Get(ctx, key, make)
		}
		return e.value, e.err
	}
	e.err = fmt.Errorf("pluginsdk: the cached value was not made") // stays only if make panics
	defer func() {
		if e.err != nil {
			c.mu.Lock()
			if c.entries[key] == e {
				delete(c.entries, key)
			}
			c.mu.Unlock()
		}
		close(e.ready)
	}()
	e.value, e.err = make(ctx)
	return e.value, e.err
}

// Drop forgets the entry of key, for example after the backend refused its
// credentials.
func (c *Cache[T]) Drop(key string) {
	c.mu.Lock()
	e := c.entries[key]
	delete(c.entries, key)
	c.mu.Unlock()
	if e != nil {
		c.release([]*cacheEntry[T]{e})
	}
}

// entry returns the entry of key and whether the caller has to make it.
func (c *Cache[T]) entry(key string) (e *cacheEntry[T], mine bool, dropped []*cacheEntry[T]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now
	if c.now != nil {
		now = c.now
	}
	t := now()
	if c.entries == nil {
		c.entries = map[string]*cacheEntry[T]{}
	}
	for k, e := range c.entries {
		if k != key && t.Sub(e.used) > cacheIdle {
			delete(c.entries, k)
			dropped = append(dropped, e)
		}
	}
	if e, ok := c.entries[key]; ok {
		if t.Sub(e.used) <= cacheIdle {
			e.used = t
			return e, false, dropped
		}
		dropped = append(dropped, e)
	} else if len(c.entries) >= cacheSize {
		oldest := ""
		for k, e := range c.entries {
			if oldest == "" || e.used.Before(c.entries[oldest].used) {
				oldest = k
			}
		}
		dropped = append(dropped, c.entries[oldest])
		delete(c.entries, oldest)
	}
	e = &cacheEntry[T]{ready: make(chan struct{}), used: t}
	c.entries[key] = e
	return e, true, dropped
}

func (c *Cache[T]) release(dropped []*cacheEntry[T]) {
	if c.Release == nil {
		return
	}
	for _, e := range dropped {
		select {
		case <-e.ready:
			if e.err == nil {
				c.Release(e.value)
			}
		default: // still being made: whoever makes it keeps it
		}
	}
}
