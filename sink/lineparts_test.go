package sink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// reading is what a file tells that is read line by line or in parts.
type reading struct {
	marks   []mark
	summary batch.Summary
	number  int
	ending  ending
	err     string
}

func oneByOne(in io.Reader) reading {
	var got reading
	r := newLineReader("results.jsonl", in, decodeResult, beginsResult)
	for r.next() {
		got.marks = append(got.marks, mark{index: r.last.index, start: r.last.start})
		r.last.addTo(&got.summary)
	}
	return got.finish(r)
}

func inParts(in io.Reader) reading {
	var got reading
	r := newLineReader("results.jsonl", in, decodeResult, beginsResult)
	r.readAll(nil, func(p *linePart) {
		for _, m := range p.marks {
			got.marks = append(got.marks, mark{index: m.index, start: p.start + m.start})
		}
		got.summary.Merge(&p.summary)
	})
	return got.finish(r)
}

func (r reading) finish(from *lineReader) reading {
	end, err := from.end()
	r.number, r.ending, r.err = from.number, end, fmt.Sprint(err)
	return r
}

// manyLines returns records of all lengths, and blank lines between them.
func manyLines(tb testing.TB, random *rand.Rand) []byte {
	tb.Helper()
	var lines []byte
	for i := range int64(400) {
		size := random.IntN(8 << 10)
		if random.IntN(100) == 0 {
			size = random.IntN(3 * partSize)
		}
		result := batch.Result{ID: fmt.Sprint("request-", i), Index: i, Success: i%7 > 0, Response: strings.Repeat("x", size)}
		var err error
		lines, err = result.AppendJSON(lines)
		require.NoError(tb, err)
		lines = append(lines, []string{"\n", "\r\n", "\n\n", "\n  \n"}[random.IntN(4)]...)
	}
	return lines
}

func TestAFileReadInPartsTellsTheSameAsOneReadLineByLine(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		whole := manyLines(t, random)
		broken := bytes.Clone(whole)
		broken[random.IntN(len(broken))] = 1
		for name, data := range map[string][]byte{
			"whole": whole, "empty": nil, "torn": whole[:random.IntN(len(whole))], "bare": bytes.TrimSpace(whole), "broken": broken,
			"foreign":   append([]byte("id,success\n"), whole...),
			"zeros":     append(bytes.Clone(whole), 0, 0, 0),
			"long only": bytes.Repeat([]byte(" "), 3*partSize),
		} {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				want := oneByOne(bytes.NewReader(data))
				require.Equal(t, want, inParts(bytes.NewReader(data)))
				require.Equal(t, want, inParts(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(data)))))
			})
		}
		t.Run(fmt.Sprint("a disk that fails ", seed), func(t *testing.T) {
			failing := func() io.Reader {
				return io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(errors.New("bad sector")))
			}
			want := oneByOne(failing())
			require.Equal(t, "reading results.jsonl: bad sector", want.err)
			require.Equal(t, want, inParts(failing()))
		})
	}
}
