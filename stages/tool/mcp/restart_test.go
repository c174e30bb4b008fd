package mcp

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/stretchr/testify/require"
)

func TestACallDuringWhichTheServerDiesIsAnErrorAndTheNextStartsItAgain(t *testing.T) {
	server, starts := mortal(t, 0)
	server.Name = "files"
	s := connected(t, server)
	wait, die, echo := pick(t, s, "wait"), pick(t, s, "die"), pick(t, s, "echo")
	_, err := call(t.Context(), echo, "{}")
	require.NoError(t, err)

	failed := make(chan error)
	go func() {
		_, err := call(t.Context(), wait, "{}")
		failed <- err
	}()
	_, err = call(t.Context(), die, "{}")
	const want = `the server "files" ended during the call (exit status 3: the disk is gone); whether the call took effect is not known`
	require.EqualError(t, err, want)
	if err := <-failed; err.Error() != want { // it may have been sent to the next one
		t.Fatal(err)
	}
	text, err := call(t.Context(), echo, `{"a":1}`)
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, text)
	require.Equal(t, 2, starts())
}

func TestAServerThatDiesNowAndThenAnswersAllOtherCalls(t *testing.T) {
	server, starts := mortal(t, 10)
	s := connected(t, server)
	echo := pick(t, s, "echo")
	const calls = 60
	errs := make(chan error, calls)
	for range calls {
		go func() {
			_, err := call(t.Context(), echo, "{}")
			errs <- err
		}()
	}
	failed := 0
	for range calls {
		if err := <-errs; err != nil {
			require.ErrorContains(t, err, "ended during the call (exit status 3: the disk is gone)")
			failed++
		}
	}
	require.Positive(t, failed)
	require.Less(t, failed, calls)
	require.Greater(t, starts(), 1)
}

func TestAnAnsweredCallMakesTheCountOfRestartsBeginAnew(t *testing.T) {
	server, starts := mortal(t, 2)
	server.MaxRestarts = 1
	s := connected(t, server)
	echo := pick(t, s, "echo")
	for range 4 {
		_, err := call(t.Context(), echo, "{}")
		require.NoError(t, err)
		_, err = call(t.Context(), echo, "{}")
		require.ErrorContains(t, err, "ended during the call")
	}
	require.Equal(t, 4, starts())
}

func TestAServerThatDiesAtEachCallIsGivenUp(t *testing.T) {
	server, starts := mortal(t, 1)
	server.Name, server.MaxRestarts = "files", 2
	s := connected(t, server)
	echo := pick(t, s, "echo")
	for range 3 {
		_, err := call(t.Context(), echo, "{}")
		require.ErrorContains(t, err, `the server "files" ended during the call`)
	}
	const want = `the server "files" has ended 3 times in a row (exit status 3: the disk is gone); it is not started again`
	_, err := call(t.Context(), echo, "{}")
	require.EqualError(t, err, want)
	_, err = echo.Call(t.Context(), nil)
	require.EqualError(t, err, want)
	require.Equal(t, 3, starts())
	require.NotEmpty(t, s.Tools(), "what it had is still known")
}

func TestWithoutRestartsAServersEndIsFinalAndOtherServersGoOn(t *testing.T) {
	first, starts := mortal(t, 0)
	first.Name, first.MaxRestarts = "first", -1
	second := newServer("second")
	add(second, sdk.Tool{Name: "say"}, says("hello"))
	s := connected(t, first, inProcessServer(second))
	_, err := call(t.Context(), pick(t, s, "die"), "{}")
	require.Error(t, err)
	_, err = call(t.Context(), pick(t, s, "echo"), "{}")
	require.EqualError(t, err, `the server "first" has ended (exit status 3: the disk is gone); it is not started again`)
	require.Equal(t, 1, starts())
	text, err := call(t.Context(), pick(t, s, "say"), "{}")
	require.NoError(t, err)
	require.Equal(t, "hello", text)
}

func TestAServerKilledBetweenCallsIsStartedAgainByOneOfManyCalls(t *testing.T) {
	server, starts := mortal(t, 0)
	s := connected(t, server)
	echo := pick(t, s, "echo")
	text, err := call(t.Context(), pick(t, s, "pid"), "{}")
	require.NoError(t, err)
	pid, err := strconv.Atoi(text)
	require.NoError(t, err)
	process, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.NoError(t, process.Kill())
	require.Eventually(t, func() bool { // the host has noticed: nothing that follows is sent to the dead one
		h := s.hosts[0]
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.now.session == nil
	}, 10*time.Second, time.Millisecond)
	errs := make(chan error)
	for range 30 {
		go func() {
			_, err := call(t.Context(), echo, "{}")
			errs <- err
		}()
	}
	for range 30 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 2, starts())
}

func TestACallThatGivesUpWaitingDoesNotEndTheStart(t *testing.T) {
	server, starts := mortal(t, 0)
	s := connected(t, server)
	_, err := call(t.Context(), pick(t, s, "die"), "{}")
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = call(ctx, pick(t, s, "echo"), "{}")
	require.ErrorIs(t, err, context.Canceled)
	_, err = call(t.Context(), pick(t, s, "echo"), "{}")
	require.NoError(t, err)
	require.LessOrEqual(t, starts(), 2)
}

func TestStartsInARowAreFurtherAndFurtherApart(t *testing.T) {
	var pauses []time.Duration
	for n := 1; n <= 7; n++ {
		pauses = append(pauses, pauseBefore(n))
	}
	const ms = time.Millisecond
	require.Equal(t, []time.Duration{0, 250 * ms, 500 * ms, 1000 * ms, 2000 * ms, 2000 * ms, 2000 * ms}, pauses)
}

func TestAServerAtAURLIsTriedAgainForAsLongAsTheRunLasts(t *testing.T) {
	var down atomic.Bool
	handler := sdkHandler(sdkServer(nil), sdk.StreamableHTTPOptions{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s := connected(t, Server{Name: "far", URL: server.URL, MaxRestarts: -1, rest: time.Millisecond})
	hello := pick(t, s, "hello")
	open, err := s.hosts[0].session(t.Context())
	require.NoError(t, err)
	down.Store(true)
	open.end(errors.New("the line is cut"))
	require.Eventually(t, func() bool {
		_, err := call(t.Context(), hello, "{}")
		return err != nil && strings.Contains(err.Error(), "it is tried again 1ms later")
	}, 20*time.Second, time.Millisecond)
	down.Store(false)
	require.Eventually(t, func() bool {
		_, err := call(t.Context(), hello, "{}")
		return err == nil
	}, 20*time.Second, time.Millisecond)
}

func TestCloseEndsAServerAtAURLThatIsNotTriedForAWhile(t *testing.T) {
	server := serve(t, sdkHandler(sdkServer(nil), sdk.StreamableHTTPOptions{}))
	s := connected(t, Server{Name: "far", URL: server.URL, MaxRestarts: -1, rest: time.Hour})
	running(t, s).end(errors.New("the line is cut"))
	require.Eventually(t, func() bool {
		_, err := s.hosts[0].session(t.Context())
		return err != nil
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, s.Close(t.Context()))
}
