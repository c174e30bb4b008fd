package sink

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
)

// disk counts how often a file is flushed, and fails at the flush of that number.
type disk struct {
	flushes atomic.Int32
	failAt  int32
	slow    time.Duration
}

var errDisk = errors.New("input/output error")

func (d *disk) sync() error {
	time.Sleep(d.slow)
	if d.flushes.Add(1) == d.failAt {
		return errDisk
	}
	return nil
}

func openOn(t *testing.T, d *disk, policy SyncPolicy) *File {
	t.Helper()
	f, err := OpenJSONL(filepath.Join(t.TempDir(), "results.jsonl"), FileOptions{Sync: SyncNever})
	require.NoError(t, err)
	f.syncer = newSyncer(policy, d.sync)
	return f
}

func writeOne(t *testing.T, f *File) error {
	t.Helper()
	return f.Write(t.Context(), []*batch.Result{{ID: "a", Success: true}})
}

func TestWhatWasWrittenIsFlushedWithinASecondAndAtClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{slow: 10 * time.Millisecond}
		f := openOn(t, d, SyncInterval)
		time.Sleep(time.Hour)
		require.Zero(t, d.flushes.Load(), "nothing was written")
		for range 100 {
			require.NoError(t, writeOne(t, f))
		}
		require.Zero(t, d.flushes.Load())
		time.Sleep(syncInterval + d.slow)
		synctest.Wait()
		require.EqualValues(t, 1, d.flushes.Load())
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, d.flushes.Load(), "all of it was")

		require.NoError(t, writeOne(t, f))
		began := time.Now()
		require.NoError(t, f.Close(t.Context()))
		require.EqualValues(t, 2, d.flushes.Load())
		require.Less(t, time.Since(began), syncInterval, "Close doesn't wait for the interval")
	})
}

func TestEachBatchIsFlushedBeforeItsWriteReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		f := openOn(t, d, SyncAlways)
		for i := range 3 {
			require.NoError(t, writeOne(t, f))
			require.EqualValues(t, i+1, d.flushes.Load())
		}
		require.NoError(t, f.Close(t.Context()))
		require.EqualValues(t, 3, d.flushes.Load(), "nothing is left for Close")
	})
}

func TestFlushingCanBeLeftToTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		f := openOn(t, d, SyncNever)
		require.NoError(t, writeOne(t, f))
		time.Sleep(time.Hour)
		require.NoError(t, f.Close(t.Context()))
		require.Zero(t, d.flushes.Load())
	})
}

// Delayed allocation: a disk can be full, or quota used up, only when it is flushed.
func TestAnErrorOfFlushingBreaksTheNextWriteAndIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openOn(t, &disk{failAt: 1}, SyncInterval)
		require.NoError(t, writeOne(t, f))
		time.Sleep(2 * syncInterval)
		err := writeOne(t, f)
		require.ErrorIs(t, err, errDisk)
		require.Len(t, writtenOf(nil, err), 1, "the record is in the file")
		require.ErrorIs(t, writeOne(t, f), errDisk, "a later flush can't tell any more")
		require.NoError(t, f.Close(t.Context()))
	})
}

func TestAnErrorOfFlushingIsToldByCloseAtTheLatest(t *testing.T) {
	for name, wait := range map[string]time.Duration{"before Close": time.Hour, "at Close": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &disk{failAt: 1}
				f := openOn(t, d, SyncInterval)
				require.NoError(t, writeOne(t, f))
				time.Sleep(wait)
				require.ErrorIs(t, f.Close(t.Context()), errDisk)
				require.EqualValues(t, 1, d.flushes.Load())
			})
		})
	}
}

func TestCloseWaitsForAFlushThatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{failAt: 1, slow: time.Minute}
		f := openOn(t, d, SyncInterval)
		require.NoError(t, writeOne(t, f))
		time.Sleep(syncInterval + d.slow/2)
		require.ErrorIs(t, f.Close(t.Context()), errDisk)
		require.EqualValues(t, 1, d.flushes.Load())
	})
}

func TestAnErrorOfFlushingBreaksItsOwnWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openOn(t, &disk{failAt: 2}, SyncAlways)
		require.NoError(t, writeOne(t, f))
		require.ErrorIs(t, writeOne(t, f), errDisk)
		require.NoError(t, f.Close(t.Context()))
	})
}

func TestAFileSystemThatCannotFlushIsNoError(t *testing.T) {
	for _, err := range []error{syscall.EINVAL, syscall.ENOTSUP, syscall.ENOSYS} {
		require.True(t, cannotSync(&os.PathError{Op: "sync", Path: "x", Err: err}))
	}
	for _, err := range []error{syscall.EIO, syscall.ENOSPC, syscall.EDQUOT} {
		require.False(t, cannotSync(err))
	}
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	defer writer.Close()
	require.NoError(t, syncFile(writer))
	require.Error(t, syncFile(os.NewFile(1<<20, "closed")))
}

func TestAnErrorOfFlushingNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	file, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.ErrorContains(t, syncFile(file), "flushing results to the disk: sync "+path)
}
