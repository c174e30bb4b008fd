package batch_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestMembersAreVisitedInTheirOrder(t *testing.T) {
	var got []string
	visit := func(name, value []byte) bool {
		got = append(got, string(name)+"="+string(value))
		return true
	}
	require.True(t, batch.Members([]byte(` {"b": 1 , "a":{"c":[ ]},"b":"x\n"} `), visit))
	require.Equal(t, []string{"b=1", `a={"c":[ ]}`, `b="x\n"`}, got)
	require.True(t, batch.Members([]byte(`{}`), visit))
}

func TestMembersStopsWhereItIsToldTo(t *testing.T) {
	visited := 0
	require.False(t, batch.Members([]byte(`{"a":1,"b":2}`), func([]byte, []byte) bool { visited++; return false }))
	require.Equal(t, 1, visited)
}

func TestMembersLeavesToEncodingJSONWhatIsNoPlainObject(t *testing.T) {
	for _, text := range []string{``, `null`, `[]`, `{"a":1`, `{"a":1}}`, `{"a":1} {}`, `{"\u0061":1}`, `{"a":01}`, "\ufeff{}"} {
		require.False(t, batch.Members([]byte(text), func(_, value []byte) bool { return json.Valid(value) }), text)
	}
}
