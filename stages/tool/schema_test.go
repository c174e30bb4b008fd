package tool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

var update = flag.Bool("update", false, "write the golden files anew")

type weather struct {
	Location string `json:"location" jsonschema_description:"city, and country if in doubt: \"Paris, <Texas>\""`
	Unit     string `json:"unit,omitempty" jsonschema:"enum=celsius,enum=fahrenheit,default=celsius"`
	Days     int    `json:"days,omitempty" jsonschema:"minimum=1,maximum=14"`
}

type person struct {
	Name  string  `json:"name" jsonschema:"minLength=1"`
	Email *string `json:"email,omitempty" jsonschema:"format=email"`
	Phone *string `json:"phone" jsonschema:"nullable"`
}

type line struct {
	SKU      string  `json:"sku" jsonschema:"pattern=^[A-Z]{3}-[0-9]+$"`
	Quantity int     `json:"quantity" jsonschema:"minimum=1"`
	Price    float64 `json:"price"`
}

type audit struct {
	Reason string `json:"reason"`
}

type order struct {
	audit
	Customer person            `json:"customer"`
	Lines    []line            `json:"lines" jsonschema:"minItems=1" jsonschema_description:"what to send"`
	Gift     bool              `json:"gift,omitzero"`
	Labels   map[string]string `json:"labels,omitempty"`
	Tags     []string          `json:"tags,omitempty" jsonschema:"enum=urgent,enum=fragile,uniqueItems=true"`
	Internal string            `json:"-"`
	_        chan int
}

type scalars struct {
	When   time.Time       `json:"when"`
	Server netip.Addr      `json:"server"`
	Amount *big.Int        `json:"amount"`
	Data   []byte          `json:"data"`
	Raw    json.RawMessage `json:"raw" jsonschema_description:"any JSON"`
	Any    any             `json:"any"`
	Pair   [2]int          `json:"pair"`
	Wait   time.Duration   `json:"wait" jsonschema_description:"nanoseconds"`
	Flag   bool
}

func TestSchemasFollowTheGoTypes(t *testing.T) {
	for name, made := range map[string]batch.Tool{
		"weather": schemaOf[weather](),
		"order":   schemaOf[order](),
		"scalars": schemaOf[scalars](),
		"empty":   schemaOf[struct{}](),
		"counts":  schemaOf[map[string]int](),
		"free":    schemaOf[map[string]any](),
	} {
		t.Run(name, func(t *testing.T) {
			var got bytes.Buffer
			require.NoError(t, json.Indent(&got, made.Parameters, "", "  "))
			got.WriteByte('\n')
			path := filepath.Join("testdata", "schema", name+".json")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, got.Bytes(), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), got.String())
			_, err = made.AppendDefinition(nil)
			require.NoError(t, err)
		})
	}
}

func schemaOf[Args any]() batch.Tool {
	return tool.New("typed", "", func(_ context.Context, a Args) (Args, error) { return a, nil })
}
