package source

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"strings"

	"github.com/gluepipe/gluepipe/stages/batch"
)

const defaultMaxImageBytes = 20 << 20

// imageReader makes the content of messages with images. It is used from one goroutine.
type imageReader struct {
	limit int64        // for the bytes of one message's images
	left  int64        // of it
	data  bytes.Buffer // of a file
}

// newImageReader takes RowOptions.MaxImageBytes.
func newImageReader(limit int64) *imageReader {
	limit = cmp.Or(limit, defaultMaxImageBytes)
	if limit < 0 {
		limit = math.MaxInt64 - 1 // the reader adds to it
	}
	return &imageReader{limit: limit}
}

// content returns the JSON of a message's content: the text, and the images that a cell tells. It returns nil where the
// cell tells none.
func (r *imageReader) content(text string, cell any) (json.RawMessage, error) {
	cells, err := imagesIn(cell)
	if err != nil || len(cells) == 0 {
		return nil, err
	}
	r.left = r.limit
	dst := append([]byte(`[{"type":"text","text":`), batch.Text(text)...)
	for _, image := range cells {
		dst = append(dst, `},{"type":"image_url","image_url":{"url":`...)
		if dst, err = r.appendURL(dst, image); err != nil {
			return nil, err
		}
		dst = append(dst, '}')
	}
	return append(dst, "}]"...), nil
}

// imagesIn returns the images in a cell: each a string or the bytes themselves.
func imagesIn(cell any) ([]any, error) {
	var list []string
	switch v := cell.(type) {
	case nil:
		return nil, nil
	case []byte:
		if len(v) == 0 {
			return nil, nil
		}
		return []any{v}, nil
	case string:
		list = []string{v}
		if strings.HasPrefix(strings.TrimSpace(v), "[") {
			var several []string
			if json.Unmarshal([]byte(v), &several) == nil {
				list = several
			}
		}
	case json.RawMessage:
		var one string
		if json.Unmarshal(v, &one) == nil {
			list = []string{one}
		} else if json.Unmarshal(v, &list) != nil {
			return nil, fmt.Errorf("image: want a URL, a path or a list of them, got %s", shortened(string(v)))
		}
	default:
		return nil, fmt.Errorf("image: want a URL, a path or a list of them, got %s", shortened(fmt.Sprint(v)))
	}
	var images []any
	for _, image := range list {
		if strings.TrimSpace(image) != "" {
			images = append(images, image)
		}
	}
	return images, nil
}

// appendURL appends the JSON of an image's URL.
func (r *imageReader) appendURL(dst []byte, image any) ([]byte, error) {
	data, ok := image.([]byte)
	if !ok {
		name := image.(string)
		if isURL(name) {
			return append(dst, batch.Text(name)...), nil
		}
		var err error
		if data, err = r.read(name); err != nil {
			return nil, fmt.Errorf("image %q: %w", shortened(name), err)
		}
	}
	dst, err := r.appendData(dst, data)
	switch {
	case err != nil && ok:
		return nil, fmt.Errorf("image: %w", err)
	case err != nil:
		return nil, fmt.Errorf("image %q: %w", shortened(image.(string)), err)
	}
	return dst, nil
}

func isURL(name string) bool {
	for _, scheme := range []string{"https://", "http://", "data:"} {
		if len(name) >= len(scheme) && strings.EqualFold(name[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// appendData appends the data: URL of an image's bytes.
func (r *imageReader) appendData(dst, data []byte) ([]byte, error) {
	if r.left -= int64(len(data)); r.left < 0 {
		return nil, fmt.Errorf("the row's images are larger than the allowed %d bytes", r.limit)
	}
	kind := http.DetectContentType(data)
	switch kind {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
	default:
		return nil, fmt.Errorf("want a PNG, JPEG, GIF or WebP image, got %s", kind)
	}
	dst = append(append(append(dst, `"data:`...), kind...), ";base64,"...)
	return append(base64.StdEncoding.AppendEncode(dst, data), '"'), nil
}

// read returns the bytes of a file, valid until the next call; of one that is too large, enough to tell.
func (r *imageReader) read(path string) ([]byte, error) {
	if strings.Contains(path, "://") {
		return nil, errors.New("want an http, https or data URL, or the path of a file")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its other end
		return nil, errors.New("not a file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	r.data.Reset()
	if _, err := io.Copy(&r.data, io.LimitReader(file, r.left+1)); err != nil {
		return nil, withoutPath(err)
	}
	return r.data.Bytes(), nil
}

func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
