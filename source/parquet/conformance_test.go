package parquet_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/source/parquet"
	"github.com/gluepipe/gluepipe/source/sourcetest"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ source.RowReader = (*parquet.Reader)(nil)

func TestAFileOfRequestsIsASource(t *testing.T) {
	sourcetest.Run(t, func(t *testing.T, requests []batch.Request) batch.Source {
		rows := make([]requestRow, len(requests))
		for i := range requests {
			data, err := requests[i].MarshalJSON()
			require.NoError(t, err)
			rows[i].Request = string(data)
		}
		return requestSource{written(t, rows)}
	})
}

type requestRow struct {
	Request string `parquet:"request,json"`
}

// requestSource reads whole requests from a column.
type requestSource struct{ *parquet.Reader }

func (s requestSource) Next(ctx context.Context) (*batch.Item, error) {
	row, err := s.Reader.Next(ctx)
	if err != nil {
		return nil, err
	}
	raw, ok := row.Value("request").(json.RawMessage)
	if !ok {
		return nil, errors.New("want JSON")
	}
	request := &batch.Request{}
	return &batch.Item{Origin: row.Unit + " " + strconv.Itoa(row.Number), Request: request}, request.UnmarshalJSON(raw)
}
