package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/llm/llmtest"
)

const reviewsCSV = `id,review,stars
a1,"The tent kept us dry, for a week.",5
a2,"The zip broke
on the first evening.",1
a3,"Said ""waterproof"".",2
`

// table reads a CSV by its header.
func table(t *testing.T, text string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	var rows []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func TestRowsComeOutWithTheirAnswers(t *testing.T) {
	inTempDir(t, map[string]string{"reviews.csv": reviewsCSV})
	got := gluepipe(t, "", nil, "run", "reviews.csv", "--prompt", "Classify: {{.review}}", "--id-column", "id",
		"--model", "mock:echo", "-o", "out.csv", "--ordered")
	require.Equal(t, exitOK, got.code, got.stderr)
	rows := table(t, read(t, "out.csv"))
	require.Len(t, rows, 3)
	require.Equal(t, "The zip broke\non the first evening.", rows[1]["review"])
	require.Equal(t, "Classify: The zip broke\non the first evening.", rows[1]["response"])
	require.Equal(t, "1", rows[1]["stars"])
	require.Equal(t, "a2", rows[1]["gluepipe_id"])
	require.Equal(t, "true", rows[1]["success"])

	again := gluepipe(t, "", nil, "run", "reviews.csv", "--prompt", "Classify: {{.review}}", "--id-column", "id",
		"--model", "mock:echo", "-o", "out.csv", "--ordered")
	require.Equal(t, exitOK, again.code, again.stderr)
	require.Contains(t, again.stderr, "all requests are done")
	require.Len(t, table(t, read(t, "out.csv")), 3)

	other := gluepipe(t, "", nil, "run", "reviews.csv", "--prompt", "Judge: {{.review}}", "--id-column", "id",
		"--model", "mock:echo", "-o", "out.csv")
	require.Equal(t, exitBroken, other.code)
	require.Contains(t, other.stderr, `"a1"`)
}

func TestRowsOfEachFormatBecomeTheSameRequests(t *testing.T) {
	objects := `{"id": "a1", "review": "dry", "stars": 5}` + "\n" + `{"id": "a2", "review": "broke", "stars": 1}` + "\n"
	inTempDir(t, map[string]string{
		"rows.csv": "id,review,stars\na1,dry,5\na2,broke,1\n", "rows.tsv": "id\treview\tstars\na1\tdry\t5\na2\tbroke\t1\n",
		"semicolons.csv": "id;review;stars\na1;dry;5\na2;broke;1\n", "rows.jsonl": objects, "rows": objects,
		"rows.json": "[" + strings.ReplaceAll(strings.TrimSpace(objects), "\n", ",\n") + "]",
		"rows.psv":  "id|review|stars\na1|dry|5\na2|broke|1\n",
	})
	makeCompressed(t, "rows.csv")
	convert := gluepipe(t, "", nil, "run", "rows.csv", "--prompt", "{{.review}}", "--model", "mock:echo", "-o", "rows.parquet",
		"--ordered")
	require.Equal(t, exitOK, convert.code, convert.stderr)
	makeDatabase(t, "rows.db")
	for name, args := range map[string][]string{
		"csv": {"rows.csv"}, "tsv": {"rows.tsv"}, "semicolons": {"semicolons.csv"}, "objects": {"rows.jsonl"},
		"without a suffix": {"rows"}, "array": {"rows.json"}, "parquet": {"rows.parquet"},
		"delimiter": {"rows.psv", "--input-format", "csv", "--delimiter", "|"},
		"gzip":      {"rows.csv.gz"}, "zstd": {"rows.csv.zst"}, "input flag": {"-i", "rows.csv"},
		"sqlite": {"rows.db", "--query", "SELECT id, review, stars FROM reviews ORDER BY id"},
		"scheme": {"sqlite:rows.db", "--query", "SELECT id, review, stars FROM reviews ORDER BY id"},
	} {
		t.Run(name, func(t *testing.T) {
			got := gluepipe(t, "", nil, append([]string{
				"run", "--prompt", "{{.review}} ({{.stars}})", "--id-column", "id",
				"--model", "mock:echo", "--ordered",
			}, args...)...)
			require.Equal(t, exitOK, got.code, got.stderr)
			all := results(t, got.stdout)
			require.Len(t, all, 2)
			require.Equal(t, "a1", all[0].ID)
			require.Equal(t, "dry (5)", all[0].Response)
			require.Equal(t, "dry", all[0].Row.Value("review"))
			require.Equal(t, "broke (1)", all[1].Response)
		})
	}
	for name, stdin := range map[string]string{
		"csv": read(t, "rows.csv"), "objects": objects, "array": read(t, "rows.json"),
		"gzip": read(t, "rows.csv.gz"),
	} {
		t.Run("standard input, "+name, func(t *testing.T) {
			got := gluepipe(t, stdin, nil, "run", "-", "--prompt", "{{.review}}", "--model", "mock:echo", "--ordered")
			require.Equal(t, exitOK, got.code, got.stderr)
			require.Len(t, results(t, got.stdout), 2)
		})
	}
}

// makeCompressed writes the file again, as gzip and as zstd.
func makeCompressed(t *testing.T, path string) {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(read(t, path)))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(path+".gz", packed.Bytes(), 0o600))
	packed.Reset()
	s, err := zstd.NewWriter(&packed)
	require.NoError(t, err)
	_, err = s.Write([]byte(read(t, path)))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(path+".zst", packed.Bytes(), 0o600))
}

func makeDatabase(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE TABLE reviews (id TEXT, review TEXT, stars INTEGER);
		INSERT INTO reviews VALUES ('a1', 'dry', 5), ('a2', 'broke', 1)`)
	require.NoError(t, err)
}

func TestTextIsReadByLineOrByFile(t *testing.T) {
	inTempDir(t, map[string]string{"questions.txt": "first\n\nsecond\n", "words.md": "third"})
	require.NoError(t, os.MkdirAll(filepath.Join("docs", "deep"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join("docs", "a.md"), []byte("alpha"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join("docs", "deep", "b.md"), []byte("beta"), 0o600))

	got := gluepipe(t, "", nil, "run", "questions.txt", "--model", "mock:echo", "--ordered")
	require.Equal(t, exitOK, got.code, got.stderr)
	all := results(t, got.stdout)
	require.Equal(t, []string{"line-1", "first", "line-3", "second"}, []string{all[0].ID, all[0].Response, all[1].ID, all[1].Response})

	got = gluepipe(t, "", nil, "run", "words.md", "--lines", "--prompt", "Say {{.text}}", "--model", "mock:echo")
	require.Equal(t, "Say third", results(t, got.stdout)[0].Response, got.stderr)

	got = gluepipe(t, "", nil, "run", "--glob", "docs/**/*.md", "--model", "mock:echo", "--ordered")
	require.Equal(t, exitOK, got.code, got.stderr)
	all = results(t, got.stdout)
	require.Len(t, all, 2)
	require.Equal(t, []string{"docs/a.md", "alpha", "docs/deep/b.md", "beta"},
		[]string{filepath.ToSlash(all[0].ID), all[0].Response, filepath.ToSlash(all[1].ID), all[1].Response})
}

func TestAnInputCanBeAURL(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/in.jsonl" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(requests(3)))
	}))
	defer site.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	got := gluepipe(t, "", nil, "run", site.URL+"/in.jsonl?key=secret", "--model", "mock:echo")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Len(t, results(t, got.stdout), 3)
	got = gluepipe(t, "", nil, "run", site.URL+"/other?key=secret", "--model", "mock:echo")
	require.Equal(t, exitBroken, got.code)
	require.Contains(t, got.stderr, "/other?QUERY: the server says 404 Not Found\n")
	require.NotContains(t, got.stderr, "secret")
}

func TestWhatIsWrongWithRowsIsSaidBeforeTheFirstCall(t *testing.T) {
	inTempDir(t, map[string]string{
		"reviews.csv": reviewsCSV, "twice.csv": "a,b,a\n1,2,3\n", "unnamed.csv": "a,,b\n1,2,3\n", "in.jsonl": requests(1),
		"rows.parquet": "PAR1", "schema.json": `{"type": "array"}`, "broken.json": `{"type": `,
	})
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"reviews.csv", "--prompt", "{{.reviw}}"}, exitUsage, `prompt: no column "reviw": the columns are id, review, stars`},
		{[]string{"reviews.csv", "--prompt", "{{.review"}, exitUsage, "prompt"},
		{[]string{"reviews.csv", "--prompt", "x", "--id-column", "key"}, exitUsage, `no column "key"`},
		{[]string{"reviews.csv"}, exitUsage, `reviews.csv holds rows: want --prompt`},
		{[]string{"twice.csv", "--prompt", "x"}, exitBroken, `"a"`},
		{[]string{"unnamed.csv", "--prompt", "x"}, exitBroken, "column 2"},
		{[]string{"rows.parquet", "--prompt", "x"}, exitBroken, "rows.parquet"},
		{[]string{"in.jsonl", "--id-column", "key"}, exitUsage, "--id-column is for rows, and in.jsonl holds requests"},
		{[]string{"reviews.csv", "--prompt", "x", "-o", "x.parquet", "--schema", "schema.json"}, exitUsage, "schema"},
		{[]string{"reviews.csv", "--prompt", "x", "--schema", "broken.json"}, exitUsage, "--schema: broken.json"},
		{[]string{"reviews.csv", "--glob", "*.md"}, exitUsage, "--glob gives the input"},
		{[]string{"--glob", "*.rst", "--prompt", "x"}, exitBroken, "*.rst"},
		{[]string{"reviews.csv", "--query", "SELECT 1"}, exitUsage, "want a database"},
		{[]string{"some.db", "--prompt", "x"}, exitUsage, "some.db is a database: want --query"},
		{[]string{"some.db", "--prompt", "x", "--query", "SELECT 1"}, exitUsage, "want --id-column"},
		{[]string{"reviews.csv", "-i", "other.csv"}, exitUsage, "takes one input"},
		{[]string{"reviews.csv", "--prompt", "x", "-o", "out.csv", "--response", "r.json"}, exitUsage, "--response"},
		{[]string{"reviews.csv", "--prompt", "x", "--delimiter", "ab"}, exitUsage, "want one character"},
		{[]string{"reviews.csv", "--prompt", "x", "--output-format", "parquet"}, exitUsage, "Parquet needs a file"},
		{[]string{"-", "--input-format", "parquet", "--prompt", "x"}, exitUsage, "want a file"},
		{[]string{"reviews.csv", "--prompt", "x", "--lines", "--input-format", "csv"}, exitUsage, "want one of the two"},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			server := llmtest.New(t, llmtest.Config{})
			got := gluepipe(t, "", nil, at(server, append([]string{"run"}, test.args...)...)...)
			require.Equal(t, test.code, got.code, got.stderr)
			require.Contains(t, got.stderr, test.want)
			require.Equal(t, 1, strings.Count(got.stderr, "\n"), got.stderr)
			require.Zero(t, server.Stats().Requests)
		})
	}
}

func TestABadRecordCostsItselfAlone(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,review\n")
	for i := range 3000 {
		if i == 1500 {
			text.WriteString("r1500,a \"stray quote\n")
			continue
		}
		text.WriteString("r" + strconv.Itoa(i) + ",fine\n")
	}
	inTempDir(t, map[string]string{"in.csv": text.String()})
	got := gluepipe(t, "", nil, "run", "in.csv", "--prompt", "{{.review}}", "--id-column", "id", "--model", "mock:echo",
		"-o", "out.jsonl", "-c", "64")
	require.Equal(t, exitFailures, got.code, got.stderr)
	all := results(t, read(t, "out.jsonl"))
	require.Len(t, all, 3000)
	for _, r := range all {
		if !r.Success {
			require.Contains(t, r.Error, "line 1502, column ")
			require.Contains(t, r.Error, "quote")
		}
	}
}

func TestAColumnThatChangesItsTypeIsNamed(t *testing.T) {
	var text strings.Builder
	for i := range 1500 {
		stars := strconv.Itoa(i % 5)
		if i == 1200 {
			stars = `"many"`
		}
		text.WriteString(`{"id": "r` + strconv.Itoa(i) + `", "stars": ` + stars + "}\n")
	}
	inTempDir(t, map[string]string{"in.jsonl": text.String()})
	got := gluepipe(t, "", nil, "run", "in.jsonl", "--prompt", "{{.stars}}", "--id-column", "id", "--model", "mock:echo",
		"-o", "out.parquet", "--errors", "bad.jsonl", "-c", "64")
	require.Equal(t, exitFailures, got.code, got.stderr)
	bad := results(t, read(t, "bad.jsonl"))
	require.Len(t, bad, 1)
	require.Contains(t, bad[0].Error, `line 1201: column "stars"`)
}

const reviewSchema = `{
	"title": "judgement", "type": "object", "additionalProperties": false,
	"properties": {
		"sentiment": {"type": "string", "enum": ["positive", "negative"]},
		"score": {"type": "number"}, "stars": {"type": "integer"}, "urgent": {"type": "boolean"}
	},
	"required": ["sentiment", "score", "stars", "urgent"]
}`

func TestAnswersByASchemaBecomeColumns(t *testing.T) {
	inTempDir(t, map[string]string{"reviews.csv": reviewsCSV, "schema.json": reviewSchema})
	args := []string{
		"run", "reviews.csv", "--prompt", "Judge: {{.review}}", "--id-column", "id", "--schema", "schema.json",
		"--model", "mock:echo", "--ordered",
	}
	got := gluepipe(t, "", nil, append(args, "-o", "out.csv")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	for _, row := range table(t, read(t, "out.csv")) {
		require.Contains(t, []string{"positive", "negative"}, row["sentiment"])
		require.Contains(t, []string{"true", "false"}, row["urgent"])
		_, err := strconv.ParseFloat(row["score"], 64)
		require.NoError(t, err)
		_, err = strconv.Atoi(row["answer_stars"])
		require.NoError(t, err, row)
	}
	got = gluepipe(t, "", nil, args...)
	for _, r := range results(t, got.stdout) {
		require.True(t, json.Valid(r.StructuredOutput), r.ID)
	}
	got = gluepipe(t, "", nil, append(args, "-o", "out.parquet")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	got = gluepipe(t, "", nil, "run", "out.parquet", "--prompt", "{{.sentiment}} {{.score}} {{.answer_stars}} {{.urgent}}",
		"--id-column", "id", "--model", "mock:echo")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Len(t, results(t, got.stdout), 3)
}

func TestAnInvalidAnswerIsAskedForAgain(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{Respond: func(r *llmtest.Request) *llmtest.Answer {
		return &llmtest.Answer{Content: `{"sentiment": "mixed"}`}
	}})
	inTempDir(t, map[string]string{"reviews.csv": "id,review\n1,good\n", "schema.json": reviewSchema})
	got := gluepipe(t, "", nil, at(server, "run", "reviews.csv", "--prompt", "{{.review}}", "--schema", "schema.json",
		"--max-repairs", "2", "-o", "out.csv")...)
	require.Equal(t, exitFailures, got.code, got.stderr)
	require.Equal(t, 3, server.Stats().Requests)
	row := table(t, read(t, "out.csv"))[0]
	require.Equal(t, "StructuredOutputError", row["error_type"])
	require.JSONEq(t, `{"sentiment": "mixed"}`, row["response"], "what was paid for is kept")
}

func TestAColumnCanBeEmbedded(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	var text strings.Builder
	text.WriteString("id,product\n")
	for i := range 300 {
		text.WriteString(strconv.Itoa(i) + ",product " + strconv.Itoa(i) + "\n")
	}
	inTempDir(t, map[string]string{"products.csv": text.String()})
	got := gluepipe(t, "", nil, at(server, "run", "products.csv", "--embed", "product", "--id-column", "id", "--embed-batch", "50",
		"-o", "out.jsonl")...)
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Less(t, server.Stats().Requests, 30, "many texts in a call")
	all := results(t, read(t, "out.jsonl"))
	require.Len(t, all, 300)
	require.NotEmpty(t, all[0].Embedding)
	got = gluepipe(t, "", nil, at(server, "run", "products.csv", "--embed", "product", "--id-column", "id", "-o", "out.parquet")...)
	require.Equal(t, exitOK, got.code, got.stderr)
}

func TestADatabaseTakesResultsAndARowStandsOnce(t *testing.T) {
	server := llmtest.New(t, llmtest.Config{})
	inTempDir(t, nil)
	makeDatabase(t, "shop.db")
	args := at(server, "run", "shop.db", "--query", "SELECT id, review FROM reviews", "--id-column", "id",
		"--prompt", "Classify: {{.review}}", "-o", "shop.db", "--table", "labels")
	for range 2 {
		got := gluepipe(t, "", nil, args...)
		require.Equal(t, exitOK, got.code, got.stderr)
	}
	require.Equal(t, 2, server.Stats().Requests)
	db, err := sql.Open("sqlite", "shop.db")
	require.NoError(t, err)
	defer db.Close()
	var n int
	var answer string
	require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*), max(response) FROM labels`).Scan(&n, &answer))
	require.Equal(t, 2, n)
	require.Equal(t, "Classify: dry", answer)
}

func TestACompressedOutputIsContinued(t *testing.T) {
	for _, name := range []string{"out.jsonl.gz", "out.jsonl.zst", "out.csv.gz"} {
		t.Run(name, func(t *testing.T) {
			server := llmtest.New(t, llmtest.Config{})
			inTempDir(t, map[string]string{"in.txt": strings.Repeat("one ", 99) + "\ntwo\nthree\n"})
			got := gluepipe(t, "", nil, at(server, "run", "in.txt", "-o", name, "--limit", "2")...)
			require.Equal(t, exitOK, got.code, got.stderr)
			got = gluepipe(t, "", nil, at(server, "run", "in.txt", "-o", name)...)
			require.Equal(t, exitOK, got.code, got.stderr)
			require.Equal(t, 3, server.Stats().Requests)
			require.NotContains(t, read(t, name), "one one one")
			got = gluepipe(t, "", nil, "run", name, "--prompt", "{{.response}}", "--model", "mock:echo")
			require.Equal(t, exitOK, got.code, got.stderr)
			require.Len(t, results(t, got.stdout), 3)
		})
	}
}

func TestWhatAFileHoldsCountsMoreThanItsName(t *testing.T) {
	objects := `{"id": "a1", "review": "dry"}` + "\n" + `{"id": "a2", "review": "broke"}` + "\n"
	inTempDir(t, map[string]string{
		"objects.csv": objects, "array.tsv": "[\n" + strings.ReplaceAll(strings.TrimSpace(objects), "\n", ",\n") + "]",
		"batch.txt": batchRequest,
	})
	for _, name := range []string{"objects.csv", "array.tsv"} {
		got := gluepipe(t, "", nil, "run", name, "--prompt", "{{.review}}", "--model", "mock:echo", "--ordered")
		require.Equal(t, exitOK, got.code, got.stderr)
		require.Equal(t, "dry", results(t, got.stdout)[0].Response)
	}
	got := gluepipe(t, "", nil, "run", "batch.txt", "--model", "mock:echo")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, `"custom_id":"a"`)
}

func TestTheAdviceForRowsIsAPromptThatWorks(t *testing.T) {
	for header, want := range map[string]string{
		"id,review text":                  "--prompt 'Summarize: {{.id}}'",
		"an id,review text":               `--prompt 'Summarize: {{index . "review text"}}'`,
		strings.Repeat("x,", 5000) + "id": "",
		strings.Repeat("x", 1<<20):        "--prompt",
	} {
		inTempDir(t, map[string]string{"in.csv": header + "\n"})
		got := gluepipe(t, "", nil, "run", "in.csv")
		require.NotEqual(t, exitOK, got.code)
		require.Contains(t, got.stderr, want)
		require.Less(t, len(got.stderr), 1000)
	}
}

func TestABatchFileIsToldByALineThatIsLong(t *testing.T) {
	inTempDir(t, map[string]string{
		"batch.jsonl": strings.Replace(batchRequest, "Hi", strings.Repeat("x", 3<<20), 1),
	})
	got := gluepipe(t, "", nil, "run", "batch.jsonl", "--model", "mock:echo")
	require.Equal(t, exitOK, got.code, got.stderr)
	require.Contains(t, got.stdout, `"custom_id":"a"`)
}

func TestTextInUTF16IsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"in.jsonl": "\xff\xfe{\x00}\x00\n\x00", "in.txt": "\xfe\xff\x00a\x00\n", "in.csv": "\xff\xfea\x00\n\x00",
	} {
		inTempDir(t, map[string]string{name: text})
		got := gluepipe(t, "", nil, "run", name, "--model", "mock:echo", "-o", "out.jsonl")
		require.Equal(t, exitBroken, got.code, got.stderr)
		require.Contains(t, got.stderr, name+": the text is UTF-16")
		require.NoFileExists(t, "out.jsonl")
	}
}

func TestAColumnThatNoRowHasIsAMistakeAndNotAHundredThousandFailures(t *testing.T) {
	objects := strings.Repeat(`{"id": "a", "review": "dry"}`+"\n", 500)
	inTempDir(t, map[string]string{
		"in.jsonl": objects, "in.json": "[" + strings.ReplaceAll(strings.TrimSpace(objects), "\n", ",") + "]",
		"sparse.jsonl": `{"a": 1}` + "\n" + `{"review": "dry"}` + "\n",
	})
	for _, args := range [][]string{
		{"in.jsonl", "--prompt", "{{.reviw}}"},
		{"in.json", "--prompt", "{{.reviw}}"},
		{"-", "--prompt", "{{.reviw}}"},
		{"in.jsonl", "--embed", "reviw"},
		{"in.jsonl", "--prompt", "x", "--id-column", "reviw"},
	} {
		got := gluepipe(t, objects, nil, append([]string{"run", "--model", "mock:echo", "-o", "out.jsonl"}, args...)...)
		require.Equal(t, exitUsage, got.code, got.stderr)
		require.Contains(t, got.stderr, `no column "reviw": the columns are id, review`)
		require.NoFileExists(t, "out.jsonl")
	}
	got := gluepipe(t, "", nil, "run", "sparse.jsonl", "--prompt", "{{.review}}", "--model", "mock:echo")
	require.Equal(t, exitFailures, got.code, got.stderr)
	require.Len(t, results(t, got.stdout), 2)
}

func TestCheckLooksIntoTheOutputOfABatchFile(t *testing.T) {
	inTempDir(t, map[string]string{"batch.jsonl": batchRequest})
	got := gluepipe(t, "", nil, "run", "batch.jsonl", "--model", "mock:echo", "-o", "out.jsonl")
	require.Equal(t, exitOK, got.code, got.stderr)
	got = gluepipe(t, "", nil, "check", "batch.jsonl", "--model", "mock:echo", "-o", "out.jsonl")
	require.Equal(t, exitOK, got.code, got.stderr+got.stdout)
	require.Contains(t, got.stdout, "1 done in out.jsonl")
}
