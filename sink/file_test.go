package sink_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/gluepipe/gluepipe/sink"
	"github.com/gluepipe/gluepipe/stages/batch"
)

func TestAFileIsContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	first := open(t, path, sink.FileOptions{})
	require.Equal(t, path, first.Path())
	require.Zero(t, first.Earlier())
	require.NoError(t, first.Write(t.Context(), []*batch.Result{success("a", 0), failure("b", 1)}))
	require.NoError(t, first.Close(t.Context()))

	second := open(t, path, sink.FileOptions{})
	require.Zero(t, second.Recovered())
	require.Equal(t, batch.Summary{
		TotalRequests: 2, SuccessfulRequests: 1, FailedRequests: 1, FailedByType: map[batch.ErrorKind]int{batch.ErrServer: 1},
		TotalElapsedTime: 500 * time.Millisecond, TotalTokensUsed: &batch.TokenUsage{Prompt: 1, Completion: 2, Total: 3},
	}, second.Earlier())
	for id, want := range map[string]bool{"a": true, "b": true, "c": false} {
		done, err := second.Done(id, "v1:"+id)
		require.NoError(t, err)
		require.Equal(t, want, done, id)
	}
	require.NoError(t, second.Write(t.Context(), []*batch.Result{success("c", 2)}))
	require.NoError(t, second.Close(t.Context()))
	require.Equal(t, []string{"a", "b", "c"}, ids(readLines(t, path)))
}

func TestAChangedRequestIsRefusedByBothFingerprints(t *testing.T) {
	bare := success("bare", 1)
	bare.Fingerprint = ""
	f := open(t, writeRecords(t, success("a", 0), bare), sink.FileOptions{})
	_, err := f.Done("a", "v1:changed")
	require.EqualError(t, err, f.Path()+`: request "a" has changed since its record was written, in its model, prompts, tools or `+
		`params: its fingerprint was v1:a and is v1:changed; give it another id, choose another output, or overwrite this one`)
	require.ErrorAs(t, err, new(*sink.ChangedError))
	for id, fingerprint := range map[string]string{"a": "", "bare": "v1:any"} { // nothing to compare
		done, err := f.Done(id, fingerprint)
		require.NoError(t, err)
		require.True(t, done)
	}
}

func TestOfRecordsWithTheSameIDTheLastCounts(t *testing.T) {
	changed := success("a", 0)
	changed.Fingerprint = "v1:later"
	f := open(t, writeRecords(t, failure("a", 0), success("b", 1), changed), sink.FileOptions{})
	done, err := f.Done("a", "v1:later")
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, 1, f.Recovered().RepeatedIDs)
	require.Equal(t, 3, f.Earlier().TotalRequests)
	require.Equal(t, 2, f.Earlier().SuccessfulRequests)
	_, err = f.Done("a", "v1:a")
	require.ErrorContains(t, err, "was v1:later and is v1:a")
}

func TestBlankLinesAndCRLFAreTolerated(t *testing.T) {
	lines := linesOf(t, success("a", 0), success("b", 1))
	path := writeFile(t, "\n"+strings.ReplaceAll(string(lines), "\n", "\r\n\n  \n"))
	require.Equal(t, 2, open(t, path, sink.FileOptions{}).Earlier().TotalRequests)
}

// A process can die at any byte of a write.
func TestATornFileLosesNoWholeRecordAndCanBeContinued(t *testing.T) {
	last := failure(`quo"te\`, 3)
	last.Metadata = map[string]any{"ünïcode": "\u2028 \"}{,\n"}
	records := []*batch.Result{success("a", 0), success("b", 1), success("c", 2), last}
	data := linesOf(t, records...)
	path := filepath.Join(t.TempDir(), "results.jsonl")
	for cut := len(linesOf(t, records[:2]...)); cut <= len(data); cut++ {
		for _, zeros := range []int{0, 3} {
			require.NoError(t, os.WriteFile(path, append(bytes.Clone(data[:cut]), make([]byte, zeros)...), 0o600))
			whole := bytes.Count(data[:cut], []byte("\n"))
			if zeros == 0 && cut < len(data) && data[cut] == '\n' {
				whole++ // it lacks only its newline
			}
			f, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
			require.NoError(t, err, "cut at %d: %q", cut, data[:cut])
			require.Equal(t, whole, f.Earlier().TotalRequests, "cut at %d", cut)
			torn := cut + zeros - len(linesOf(t, records[:whole]...))
			require.Equal(t, max(0, torn), int(f.Recovered().DroppedBytes))
			require.Equal(t, torn < 0, f.Recovered().CompletedLine)
			require.NoError(t, f.Write(t.Context(), records[whole:]))
			require.NoError(t, f.Close(t.Context()))
			require.Equal(t, string(data), readFile(t, path), "cut at %d", cut)
		}
	}
}

func TestATornFileOfAnyResultsCanBeContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	rapid.Check(t, func(rt *rapid.T) {
		var records []*batch.Result
		for i := range rapid.IntRange(1, 5).Draw(rt, "records") {
			r := success(rapid.String().Draw(rt, "id"), int64(i))
			r.Response = rapid.String().Draw(rt, "response")
			records = append(records, r)
		}
		data := linesOf(t, records...)
		cut := rapid.IntRange(0, len(data)).Draw(rt, "cut")
		require.NoError(rt, os.WriteFile(path, data[:cut], 0o600))
		f, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
		require.NoError(rt, err)
		require.NoError(rt, f.Write(t.Context(), records[f.Earlier().TotalRequests:]))
		require.NoError(rt, f.Close(t.Context()))
		require.Equal(rt, string(data), readFile(t, path))
	})
}

func TestAForeignFileIsRefusedAndLeftAsItIs(t *testing.T) {
	record := string(linesOf(t, success("a", 0)))
	for name, c := range map[string]struct {
		content string
		line    int
	}{
		"requests":                    {`{"id":"a","user_message":"Hello"}` + "\n", 1},
		"a request without newline":   {`{"id":"a","user_message":"Hello"}`, 1},
		"a torn request":              {`{"id":"a","user_message":"Hel`, 1},
		"a text":                      {"Dear diary\n", 1},
		"a text without newline":      {"Dear diary", 1},
		"a text after records":        {record + "\nDear diary", 3},
		"a broken line among records": {record + `{"id":"b","index":1,"suc` + "\n" + record, 2},
		"a torn line with its end":    {record + `{"id":"b","index":1,"suc` + "\n", 2},
		"an index of another kind":    {`{"id":"a","index":"first","success":true}` + "\n", 1},
		"the same without newline":    {`{"id":"a","index":"first","success":true}`, 1},
		"JSON of another kind":        {"[1,2]", 1},
		"null":                        {"null\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeFile(t, c.content)
			for _, options := range []sink.FileOptions{{}, {RerunFailed: true}} {
				_, err := sink.OpenJSONL(path, options)
				require.ErrorContains(t, err, fmt.Sprintf("%s: line %d: not a result record", path, c.line))
				require.ErrorContains(t, err, "; choose another output, or overwrite this one")
				require.Equal(t, c.content, readFile(t, path))
				requireNothingBeside(t, path)
			}
		})
	}
}

func TestOverwriteEmptiesTheFileWhateverItHolds(t *testing.T) {
	path := writeFile(t, "Dear diary\n")
	f := open(t, path, sink.FileOptions{Overwrite: true, RerunFailed: true})
	require.Empty(t, readFile(t, path))
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.Len(t, readLines(t, path), 1)
}

func TestRerunFailedTakesTheFailedRecordsOut(t *testing.T) {
	path := writeRecords(t, failure("a", 0), success("b", 1), failure("c", 2), success("d", 3))
	torn := append([]byte(readFile(t, path)), `{"id":"e"`...)
	require.NoError(t, os.WriteFile(path, torn, 0o600))
	require.NoError(t, os.Chmod(path, 0o640))
	link := filepath.Join(t.TempDir(), "link.jsonl")
	require.NoError(t, os.Symlink(path, link))

	f := open(t, link, sink.FileOptions{RerunFailed: true})
	require.Equal(t, sink.Recovery{RemovedFailed: 2, DroppedBytes: 9}, f.Recovered())
	require.Equal(t, []string{"b", "d"}, ids(readLines(t, path)), "before the first write")
	require.Equal(t, 2, f.Earlier().SuccessfulRequests)
	require.Zero(t, f.Earlier().FailedRequests)
	done, err := f.Done("a", "v1:another")
	require.NoError(t, err)
	require.False(t, done)
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.Equal(t, []string{"b", "d", "a"}, ids(readLines(t, path)))

	info, err := os.Lstat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())
	info, err = os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink)
	requireNothingBeside(t, path)
}

func TestRerunFailedTakesAwayWhatAKilledOneLeft(t *testing.T) {
	path := writeRecords(t, success("a", 0), failure("b", 1))
	require.NoError(t, os.WriteFile(path+".rerun.tmp", []byte("half of it"), 0o600))
	open(t, path, sink.FileOptions{RerunFailed: true})
	require.Equal(t, []string{"a"}, ids(readLines(t, path)))
	left, err := filepath.Glob(path + ".*")
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestWhatAKilledRerunLeftIsTakenAwayByWhoContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	left := path + ".rerun.tmp"
	require.NoError(t, os.WriteFile(left, []byte("half of it"), 0o600))
	open(t, path, sink.FileOptions{})
	require.NoFileExists(t, left)
}

func TestRerunFailedOfAFileWithoutFailuresLeavesIt(t *testing.T) {
	path := writeRecords(t, success("a", 0))
	before, err := os.Stat(path)
	require.NoError(t, err)
	f := open(t, path, sink.FileOptions{RerunFailed: true})
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
	require.Zero(t, f.Recovered())
	requireNothingBeside(t, path)
}

func TestAHugeRecordIsContinued(t *testing.T) {
	huge := success("huge", 0)
	huge.Response = strings.Repeat("a", 20<<20)
	path := writeRecords(t, huge, success("b", 1))
	require.NoError(t, os.Truncate(path, int64(len(readFile(t, path))-1)))
	f := open(t, path, sink.FileOptions{})
	require.Equal(t, 2, f.Earlier().TotalRequests)
	require.NoError(t, f.Write(t.Context(), []*batch.Result{huge}))
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, 3, open(t, path, sink.FileOptions{}).Earlier().TotalRequests)
}

func TestOutputsThatAreNoRegularFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := sink.OpenJSONL(dir, sink.FileOptions{Overwrite: true})
	require.EqualError(t, err, dir+" is a directory: want a file for the results")
	_, err = sink.OpenJSONL(filepath.Join(dir, "no", "such.jsonl"), sink.FileOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)

	for _, options := range []sink.FileOptions{{}, {Overwrite: true}, {RerunFailed: true}} {
		null := open(t, os.DevNull, options)
		require.NoError(t, null.Write(t.Context(), []*batch.Result{success("a", 0)}))
		require.NoError(t, null.Close(t.Context()))
	}

	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip("no named pipes here")
	}
	got := make(chan []byte)
	go func() {
		data, _ := os.ReadFile(fifo)
		got <- data
	}()
	f := open(t, fifo, sink.FileOptions{})
	require.NoError(t, f.Write(t.Context(), []*batch.Result{success("a", 0)}))
	require.NoError(t, f.Close(t.Context()))
	require.Equal(t, []string{"a"}, ids(parseLines(t, <-got)))
}

func TestDoneIsSafeForConcurrentUse(t *testing.T) {
	f := open(t, writeRecords(t, success("a", 0)), sink.FileOptions{})
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for range 100 {
			_, _ = f.Done("a", "v1:b")
		}
	}()
	for i := range 100 {
		require.NoError(t, f.Write(t.Context(), []*batch.Result{success("b", int64(i))}))
	}
	<-ended
}

func TestWhatIsWrittenBeforeTheDiskIsFullCanBeContinued(t *testing.T) {
	records := []*batch.Result{success("a", 0), success("b", 1), success("c", 2)}
	data := linesOf(t, records...)
	for room := range len(data) {
		disk := &fullDisk{room: room}
		require.ErrorIs(t, sink.JSONL(disk).Write(t.Context(), records), syscall.ENOSPC)
		path := writeFile(t, disk.String())
		f := open(t, path, sink.FileOptions{Sync: sink.SyncNever})
		require.NoError(t, f.Write(t.Context(), records[f.Earlier().TotalRequests:]))
		require.NoError(t, f.Close(t.Context()))
		require.Equal(t, string(data), readFile(t, path))
	}
}

func FuzzOpenJSONL(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "{}", `{"id":"`, `{"id":"a\`, `{"id":"a","index":0,"success":true}`, `{"id":"a","index":0,"success":true}` + "\n\x00",
		`{"id":"a","index":0,"success":tr`, "\x00\x00", `{"id":null,"index":0,"success":true}`, `{"id":"a","index":`,
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "results.jsonl")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o600))
		file, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
		if err != nil {
			require.Equal(t, string(content), readFile(t, path), "a file that is refused was changed")
			return
		}
		require.NoError(t, file.Write(t.Context(), []*batch.Result{success("last", 9)}))
		require.NoError(t, file.Close(t.Context()))
		again, err := sink.OpenJSONL(path, sink.FileOptions{Sync: sink.SyncNever})
		require.NoError(t, err)
		require.NoError(t, again.Close(t.Context()))
		require.Equal(t, file.Earlier().TotalRequests+1, again.Earlier().TotalRequests)
		require.Zero(t, again.Recovered().DroppedBytes)
	})
}

func TestReadRecordsTellsWhatAFileHasAndChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	content := `{"id":"a","index":0,"success":true,"fingerprint":"v1:a"}` + "\n" +
		`{"id":"b","index":1,"success":false,"error_type":"ServerError","fingerprint":"v1:b"}` + "\n" + `{"id":"c","index":2,"succ`
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	records, err := sink.ReadRecords(path)
	require.NoError(t, err)
	earlier := records.Earlier()
	require.Equal(t, 2, earlier.TotalRequests)
	require.Equal(t, 1, earlier.FailedRequests)
	for id, want := range map[string]bool{"a": true, "b": true, "c": false} {
		done, err := records.Done(id, "")
		require.NoError(t, err)
		require.Equal(t, want, done, id)
	}
	var changed *sink.ChangedError
	_, err = records.Done("b", "v1:new")
	require.ErrorAs(t, err, &changed)
	require.Equal(t, sink.ChangedError{Path: path, ID: "b", Earlier: "v1:b", Now: "v1:new", Failed: true}, *changed)
	_, err = records.Done("a", "v1:new")
	require.ErrorAs(t, err, &changed)
	require.Equal(t, "another", changed.Earlier, "the file is read again once")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(after))
	_, err = sink.ReadRecords(path + ".missing")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
