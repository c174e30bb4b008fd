package tool_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

func TestALimitHasSoManyPlacesHoweverOftenOneIsGivenBack(t *testing.T) {
	acquire := tool.Limit(2)
	ended, end := context.WithCancelCause(t.Context())
	end(fmt.Errorf("enough"))
	for range 3 {
		var releases []func()
		for range 2 {
			release, err := acquire(t.Context())
			require.NoError(t, err)
			releases = append(releases, release)
		}
		_, err := acquire(ended)
		require.EqualError(t, err, "enough")
		for _, release := range releases {
			release()
			release()
		}
	}
}

func TestALimitNeedsAPlace(t *testing.T) {
	require.PanicsWithValue(t, "gluepipe: tool.Limit needs 1 call or more", func() { tool.Limit(0) })
}

func ExampleLimit() {
	search := batch.Tool{Name: "search", Acquire: tool.Limit(4)} // at most 4 searches at once, in all runs
	release, err := search.Acquire(context.Background())
	fmt.Println(err)
	release()
	// Output: <nil>
}
