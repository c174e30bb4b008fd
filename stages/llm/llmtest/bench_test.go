package llmtest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"testing"
)

// discard is a ResponseWriter without a connection, so that the server's own work is measured.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

type body struct{ *bytes.Reader }

func (body) Close() error { return nil }

func BenchmarkEcho(b *testing.B) {
	for _, workers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			s, err := Start(Config{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			text := []byte(`{"model":"gpt-4o-mini","temperature":0,"messages":[{"role":"system","content":"Be brief."},` +
				`{"role":"user","content":"Summarise the following review in one sentence: it was fine, but the soup was cold."}]}`)
			b.SetParallelism(workers)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w := &discard{http.Header{}}
				reader := bytes.NewReader(text)
				r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, completionsPath, body{reader})
				if err != nil {
					b.Error(err)
					return
				}
				r.ContentLength = int64(len(text))
				for pb.Next() {
					reader.Reset(text)
					clear(w.header)
					s.serve(w, r)
				}
			})
		})
	}
}
