package parquet

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/parquet-go/parquet-go"

	"github.com/gluepipe/gluepipe/sink"
)

// temporary is where the file is made before it takes its place. It has always the same name: who has the journal's lock owns
// it.
func (f *File) temporary() string { return f.target + ".tmp" }

// make makes the Parquet file anew and puts it in its place, safe on the disk.
func (f *File) make(ctx context.Context) (err error) {
	if f.base.replaced(f.target) {
		return errors.New("another file has taken its place")
	}
	file, err := os.OpenFile(f.temporary(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, cmp.Or(f.mode, 0o666))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	if info, err := os.Stat(f.target); err == nil {
		if err := file.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := f.fill(ctx, file); err != nil {
		return err
	}
	if err := file.Sync(); err != nil && !cannotSync(err) { // else a crash could leave the new name with no content
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if runtime.GOOS == "windows" { // an open file can't be replaced there
		f.base.close()
	}
	if err := os.Rename(f.temporary(), f.target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.target))
}

// fill writes the rows that are to stay, and those of the journal.
func (f *File) fill(ctx context.Context, file *os.File) (err error) {
	defer recovered(&err)
	journal, err := os.Open(f.journal.Path())
	if err != nil {
		return err
	}
	defer func() { _ = journal.Close() }()
	out := bufio.NewWriterSize(file, 256<<10)
	w := newWriter(out, f.table)
	if f.base != nil {
		if err := f.copyBase(ctx, w); err != nil {
			return err
		}
	}
	if err := eachResult(ctx, bufio.NewReaderSize(journal, 256<<10), w.result); err != nil {
		return fmt.Errorf("reading %s: %w", f.journal.Path(), err)
	}
	if err := w.close(); err != nil {
		return err
	}
	return out.Flush()
}

// copyBase writes the rows of the earlier file that the journal has nothing newer for.
func (f *File) copyBase(ctx context.Context, w *writer) error {
	newer, err := sink.ReadRecords(f.journal.Path())
	if err != nil {
		return err
	}
	return f.base.each(func(rows []parquet.Row) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		stay := rows[:0:0]
		for _, row := range rows {
			id, err := f.base.idOf(row)
			if err != nil {
				return err
			}
			if replaced, _ := newer.Done(id, ""); !replaced {
				stay = append(stay, row)
			}
		}
		return w.copy(stay)
	})
}

// syncDir flushes the entry of a file that was renamed.
func syncDir(path string) error {
	if runtime.GOOS == "windows" { // directories can't be flushed there, and needn't
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return nil //nolint:nilerr // a directory may be written and not read
	}
	defer func() { _ = dir.Close() }()
	if err := dir.Sync(); err != nil && !cannotSync(err) {
		return err
	}
	return nil
}

func cannotSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}
