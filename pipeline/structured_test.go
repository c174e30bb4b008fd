package pipeline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type place struct {
	City string `json:"city" jsonschema_description:"without the country"`
}

type stamp struct {
	At time.Time `json:"at"`
}

type review struct {
	stamp
	Sentiment string   `json:"sentiment" jsonschema:"enum=good,enum=bad"`
	Stars     int      `json:"stars" jsonschema:"minimum=1,maximum=5"`
	Score     *float64 `json:"score"`
	Note      string   `json:"note,omitempty"`
	Mood      string   `json:"mood" jsonschema:"nullable,enum=calm"`
	Tags      []string `json:"tags"`
	Places    []place  `json:"places"`
	Home      *place   `json:"home,omitempty"`
	Pair      [2]bool  `json:"pair"`
	Hidden    int      `json:"-"`
}

func TestAStructBecomesAStrictSchema(t *testing.T) {
	require.Equal(t, ``, string(Structured[review]()))
}
