package sink

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// SyncPolicy says when what was written is flushed to the disk, which is what a loss of power leaves. The death of the
// process, by kill -9 too, loses nothing that was written, whatever the policy. Pipes and devices are never flushed.
type SyncPolicy int

const (
	// SyncInterval flushes a second after something was written, and at Close. A loss of power loses what was written in
	// the last second or so. An error breaks the next Write, or Close.
	SyncInterval SyncPolicy = iota
	// SyncAlways flushes in each Write, before it returns: a loss of power loses nothing that was acknowledged. Each batch
	// waits for the disk.
	SyncAlways
	// SyncNever leaves it to the system: a loss of power loses what that hadn't flushed, on Linux some 30 seconds.
	SyncNever
)

const syncInterval = time.Second

// syncer flushes a file by its policy. Its methods are for one goroutine.
type syncer struct {
	policy   SyncPolicy
	sync     func() error
	unsynced bool  // something was written since the last flush of SyncAlways or close
	err      error // of the first flush that failed: the system tells it once, a later flush would seem to succeed
	told     bool

	// Of SyncInterval: a goroutine that close waits for.
	written chan struct{} // something is to be flushed
	failed  chan error    // why the goroutine has ended
	stop    chan struct{}
	flusher sync.WaitGroup
}

func newSyncer(policy SyncPolicy, sync func() error) *syncer {
	s := &syncer{policy: policy, sync: sync}
	if policy == SyncInterval {
		s.written, s.failed, s.stop = make(chan struct{}, 1), make(chan error, 1), make(chan struct{})
		s.flusher.Go(s.flushEachInterval)
	}
	return s
}

// wrote is called after each write. What it returns breaks the run.
func (s *syncer) wrote() error {
	s.unsynced = true
	switch s.policy {
	case SyncAlways:
		s.flush()
	case SyncInterval:
		select {
		case s.written <- struct{}{}:
		default: // it is known already
		}
		s.look()
	}
	s.told = s.err != nil
	return s.err
}

// close flushes what is left. It returns no error that wrote has returned.
func (s *syncer) close() error {
	if s.policy == SyncInterval {
		close(s.stop)
		s.flusher.Wait()
		s.look()
	}
	if s.policy != SyncNever && s.unsynced {
		s.flush()
	}
	if s.told {
		return nil
	}
	return s.err
}

func (s *syncer) flush() {
	if s.err == nil {
		s.err = s.sync()
		s.unsynced = false
	}
}

// look takes over the error of the goroutine.
func (s *syncer) look() {
	select {
	case s.err = <-s.failed:
	default:
	}
}

func (s *syncer) flushEachInterval() {
	for {
		select {
		case <-s.written:
		case <-s.stop:
			return
		}
		select {
		case <-time.After(syncInterval):
		case <-s.stop:
			return
		}
		select {
		case <-s.written: // while it waited: this flush has it
		default:
		}
		if err := s.sync(); err != nil {
			s.failed <- err
			return
		}
	}
}

// syncFile flushes a file. A file system that can't has nothing to promise.
func syncFile(file *os.File) error {
	if err := file.Sync(); err != nil && !cannotSync(err) {
		return fmt.Errorf("flushing results to the disk: %w", err)
	}
	return nil
}

// syncDir flushes the directory's entry of a file that was created: without it, a loss of power takes the whole file.
func syncDir(path string) error {
	if runtime.GOOS == "windows" { // directories can't be flushed there, and needn't
		return nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil //nolint:nilerr // a directory may be written and not read
	}
	defer func() { _ = dir.Close() }()
	if err := dir.Sync(); err != nil && !cannotSync(err) {
		return fmt.Errorf("flushing the directory of %s to the disk: %w", path, err)
	}
	return nil
}

func cannotSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}
