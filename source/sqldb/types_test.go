package sqldb_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/source"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestValuesOfPostgresKeepWhatTheyAre(t *testing.T) {
	db := postgres(t)
	exec(t, db, `CREATE TYPE mood AS ENUM ('sad', 'ok')`)
	at := time.Date(2024, 1, 2, 3, 4, 5, 678901000, time.UTC)
	r := query(t, db, `SELECT 1::int2 AS a, 2::int4 AS b, 9007199254740993::int8 AS c, 1.5::float4 AS d, 2.5::float8 AS e,
		12345678901234567890.12345678901234567890::numeric AS f, true AS g, 'x'::text AS h, 'y'::varchar(3) AS i,
		'{"a": 12345678901234567890}'::json AS j, '{"a": 1.50}'::jsonb AS k,
		'2024-01-02 05:04:05.678901+02'::timestamptz AS l, '2024-01-02 03:04:05.678901'::timestamp AS m,
		'2024-01-02'::date AS n, '10:00:00'::time AS o, '\x00ff'::bytea AS p,
		'070e132d-ab59-4366-bd98-affefdc185cc'::uuid AS q, '{1,2}'::int[] AS r, '{a,"b c"}'::text[] AS s,
		'ok'::mood AS t, 'NaN'::numeric AS u, interval '1 day' AS v, null AS w, null::int8 AS x, 1e30::numeric AS y`)
	row := next(t, r)
	require.Equal(t, "row", row.Unit)
	require.Equal(t, 1, row.Number)
	require.NotNil(t, row.Values[20])
	row.Values[20] = nil // NaN is equal to nothing
	type is struct {
		column batch.ColumnType
		value  any
	}
	for i, want := range []is{
		{batch.IntColumn, int64(1)},
		{batch.IntColumn, int64(2)},
		{batch.IntColumn, int64(9007199254740993)},
		{batch.FloatColumn, 1.5},
		{batch.FloatColumn, 2.5},
		{batch.FloatColumn, json.Number("12345678901234567890.12345678901234567890")},
		{batch.BoolColumn, true},
		{batch.TextColumn, "x"},
		{batch.TextColumn, "y"},
		{batch.JSONColumn, json.RawMessage(`{"a": 12345678901234567890}`)},
		{batch.JSONColumn, json.RawMessage(`{"a": 1.50}`)},
		{batch.TimeColumn, at},
		{batch.TimeColumn, at},
		{batch.TextColumn, "2024-01-02"},
		{batch.TextColumn, "10:00:00"},
		{batch.BytesColumn, []byte{0, 255}},
		{batch.TextColumn, "070e132d-ab59-4366-bd98-affefdc185cc"},
		{batch.TextColumn, "{1,2}"},
		{batch.TextColumn, `{a,"b c"}`},
		{batch.TextColumn, "ok"},
		{batch.FloatColumn, nil},
		{batch.TextColumn, "1 day"},
		{batch.TextColumn, nil},
		{batch.IntColumn, nil},
		{batch.FloatColumn, json.Number("1000000000000000000000000000000")},
	} {
		require.Equal(t, want, is{r.Columns()[i].Type, row.Values[i]}, "column %s", r.Columns()[i].Name)
	}
	requireEnd(t, r)
}

func TestValuesOfSQLiteKeepWhatTheyAre(t *testing.T) {
	db := sqlite(t)
	exec(t, db, `CREATE TABLE things (a integer, b real, c text, d blob, e numeric, f decimal(10,2), g boolean, h datetime,
		i timestamp, j date, k json text, l varchar(10), n bigint, o)`,
		`INSERT INTO things VALUES (1, 1.5, 'x', x'00ff', 12, 1.5, 1, '2024-01-02 03:04:05', '2024-01-02T05:04:05+02:00',
			'2024-01-02', '{"a":1}', 'q', 9007199254740993, 'free')`,
		`INSERT INTO things (a) VALUES (null)`)
	r := query(t, db, `SELECT *, a + 1 AS p, upper(c) AS q, 1.5 * a AS r, null AS s FROM things ORDER BY a DESC`)
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	require.Equal(t, []any{
		int64(1), 1.5, "x",
		[]byte{0, 255},
		json.Number("12"), 1.5, true, at, at, "2024-01-02", json.RawMessage(`{"a":1}`), "q",
		int64(9007199254740993), "free", int64(2), "X", 1.5, nil,
	}, next(t, r).Values)
	require.Equal(t, make([]any, 18), next(t, r).Values)
	requireEnd(t, r)
	var types []string
	for _, column := range r.Columns() {
		types = append(types, column.Name+" "+column.Type.String())
	}
	require.Equal(t, "a int,b float,c text,d bytes,e float,f float,g bool,h time,i time,j text,k json,l text,n int,o text,"+
		"p int,q text,r float,s text", strings.Join(types, ","))
}

func TestAValueOfAnotherTypeMakesItsRowABadOneAndTheRestGoesOn(t *testing.T) {
	db := sqlite(t)
	exec(t, db, `CREATE TABLE things (n integer, id integer)`, `INSERT INTO things VALUES (1, 5), ('one', 6), (2, 7)`)
	r := query(t, db, `SELECT id, n FROM things ORDER BY id`)
	require.Equal(t, []any{int64(5), int64(1)}, next(t, r).Values)
	_, err := r.Next(t.Context())
	var bad *source.RowError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, `row 2: column "n" is of type integer: want a whole number, got "one"; CAST it in the query`, err.Error())
	require.JSONEq(t, `{"id":6,"n":"one"}`, string(bad.Raw))
	row := next(t, r)
	require.Equal(t, 3, row.Number)
	require.Equal(t, []any{int64(7), int64(2)}, row.Values)
	requireEnd(t, r)

	r = query(t, db, `SELECT CAST(n AS TEXT) AS n FROM things ORDER BY id`)
	for _, want := range []string{"1", "one", "2"} {
		require.Equal(t, want, next(t, r).Value("n"))
	}
}

func TestAnInfiniteTimestampMakesItsRowABadOne(t *testing.T) {
	r := query(t, postgres(t), `SELECT 'infinity'::timestamptz AS until`)
	_, err := r.Next(t.Context())
	require.ErrorContains(t, err, `row 1: column "until" is of type timestamptz: want a time`)
	requireEnd(t, r)
}
