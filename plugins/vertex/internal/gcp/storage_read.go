package gcp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// OpenObject reads an object from an offset, as it is stored. The error of an
// offset behind its end is an HTTPError with code 416.
func (c *Client) OpenObject(ctx context.Context, bucket, name string, offset int64) (Object, io.ReadCloser, error) {
	o := Object{Name: name}
	token, err := c.token(ctx)
	if err != nil {
		return o, nil, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.objectURL(bucket, name)+"?alt=media", nil)
	if err != nil {
		return o, nil, err
	}
	q.Header.Set("Authorization", "Bearer "+token)
	// Else Cloud Storage unpacks objects that are stored with gzip, and their size
	// is unknown (https://cloud.google.com/storage/docs/transcoding).
	q.Header.Set("Accept-Encoding", "gzip")
	if c.login.quota != "" {
		q.Header.Set("X-Goog-User-Project", c.login.quota)
	}
	if offset > 0 {
		q.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := c.http.Do(q)
	if err != nil {
		return o, nil, err
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return o, nil, err
		}
		return o, nil, refusal(resp.StatusCode, data)
	}
	o.Size = resp.ContentLength
	if offset > 0 {
		_, size, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
		if o.Size, err = strconv.ParseInt(size, 10, 64); err != nil {
			resp.Body.Close()
			return o, nil, fmt.Errorf("the store answers a range with %q", resp.Header.Get("Content-Range"))
		}
	}
	o.Generation, _ = strconv.ParseInt(resp.Header.Get("X-Goog-Generation"), 10, 64) // 0 = unknown
	o.Updated, _ = http.ParseTime(resp.Header.Get("Last-Modified"))                  // zero = unknown
	return o, resp.Body, nil
}
