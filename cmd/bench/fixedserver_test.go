package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sashabaranov/go-openai"
	"github.com/stretchr/testify/require"
)

// connect starts a server and returns a connection to it.
func connect(t *testing.T, s script) (net.Conn, *bufio.Reader) {
	t.Helper()
	server, err := startFixed(s)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.close()) })
	return dial(t, server)
}

func dial(t *testing.T, server *fixedServer) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", server.listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, bufio.NewReader(conn)
}

func send(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
}

// receive reads one answer.
func receive(t *testing.T, from *bufio.Reader) (*http.Response, string) {
	t.Helper()
	answer, err := http.ReadResponse(from, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer, string(body)
}

func post(body string) string {
	return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\ncontent-length: %d\r\n\r\n%s", len(body), body)
}

func TestTheAnswerIsACompletionOf900Bytes(t *testing.T) {
	conn, from := connect(t, script{})
	send(t, conn, post(`{}`))
	answer, body := receive(t, from)
	require.Equal(t, 200, answer.StatusCode)
	require.Len(t, body, 900)
	var completion openai.ChatCompletionResponse
	require.NoError(t, json.Unmarshal([]byte(body), &completion))
	require.Contains(t, completion.Choices[0].Message.Content, "Positive.")
	usage := completion.Usage
	require.Equal(t, usage.TotalTokens, usage.PromptTokens+usage.CompletionTokens)
}

func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	conn, from := connect(t, script{tools: true})
	asked, answered := post(`{"tools":[{}]}`), post(`{"tools":[{}],"messages":[{"role":"tool"}]}`)
	send(t, conn, asked+answered+asked+post(`{}`))
	for i, want := range []string{"tool_calls", "stop", "tool_calls", "stop"} {
		_, body := receive(t, from)
		var completion openai.ChatCompletionResponse
		require.NoError(t, json.Unmarshal([]byte(body), &completion))
		require.Equal(t, want, string(completion.Choices[0].FinishReason), "answer %d", i)
	}
}

func TestARequestThatComesByteByByteIsRead(t *testing.T) {
	conn, from := connect(t, script{})
	for _, b := range []byte(post(`{"model":"m"}`)) {
		send(t, conn, string(b))
	}
	answer, _ := receive(t, from)
	require.Equal(t, 200, answer.StatusCode)
}

func TestLargeBodiesAreTakenAndForgotten(t *testing.T) {
	for _, s := range []script{{}, {tools: true}} {
		conn, from := connect(t, s)
		send(t, conn, post(strings.Repeat("x", 1<<20))+post(`{}`))
		for range 2 {
			answer, body := receive(t, from)
			require.Equal(t, 200, answer.StatusCode)
			require.Len(t, body, 900)
		}
	}
}

func TestAConnectionEndsWhereTheClientWantsIt(t *testing.T) {
	conn, from := connect(t, script{})
	send(t, conn, "GET / HTTP/1.1\r\nCONNECTION: Close\r\n\r\n")
	answer, _ := receive(t, from)
	require.Equal(t, 200, answer.StatusCode)
	_, err := from.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestWhatTheServerDoesNotSpeakIsRefusedAndEndsTheConnection(t *testing.T) {
	for _, test := range []struct {
		request string
		status  int
		reason  string
	}{
		{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 411, "chunked bodies are not read here"},
		{"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", 417, "Expect"},
		{"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400, "Content-Length"},
		{"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "Content-Length"},
		{"POST / HTTP/1.1\r\nno field\r\n\r\n", 400, "colon"},
		{"POST / HTTP/1.0\r\n\r\n", 505, "HTTP/1.1"},
		{"POST / HTTP/1.1\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n", 431, "4 KiB"},
	} {
		conn, from := connect(t, script{})
		send(t, conn, test.request)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		answer, body := receive(t, from)
		require.Equal(t, test.status, answer.StatusCode)
		require.Contains(t, body, test.reason)
		_, err := from.ReadByte()
		require.ErrorIs(t, err, io.EOF, test.reason)
	}
}

func TestEachSoManiethRequestFails(t *testing.T) {
	conn, from := connect(t, script{failEvery: 3, failStatus: 429, retryAfter: 2 * time.Second})
	for i := range 7 {
		send(t, conn, post(`{}`))
		answer, _ := receive(t, from)
		if (i+1)%3 > 0 {
			require.Equal(t, 200, answer.StatusCode)
			continue
		}
		require.Equal(t, 429, answer.StatusCode)
		require.Equal(t, "2", answer.Header.Get("Retry-After"))
		require.Equal(t, "2000", answer.Header.Get("Retry-After-Ms"))
	}
}

func TestAnAnswerComesNoEarlierThanTheLatency(t *testing.T) {
	const latency = 30 * time.Millisecond
	conn, from := connect(t, script{latency: latency})
	for range 2 {
		began := time.Now()
		send(t, conn, post(`{}`))
		receive(t, from)
		require.GreaterOrEqual(t, time.Since(began), latency)
	}
}

func TestClosingDoesNotWaitForAnswers(t *testing.T) {
	server, err := startFixed(script{latency: time.Hour})
	require.NoError(t, err)
	conn, from := dial(t, server)
	send(t, conn, post(`{}`))
	require.NoError(t, server.close())
	_, err = from.ReadByte()
	require.Error(t, err)
	_, err = net.Dial("tcp", server.listener.Addr().String())
	require.Error(t, err)
}

func TestHundredsOfConnectionsAreServedAtOnce(t *testing.T) {
	server, err := startFixed(script{})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.close()) }()
	o, err := runNetHTTP(t.Context(), &load{url: server.baseURL(), requests: 1200, inFlight: 400})
	require.NoError(t, err)
	require.Equal(t, 1200, o.Requests)
}

func TestServeEndsWithItsInputAndTellsWhatItTook(t *testing.T) {
	stdin, end := io.Pipe()
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(t.Context(), []string{"serve", "-latency", "1ms"}, stdin, stdout) }()
	lines := bufio.NewReader(out)
	url, err := lines.ReadString('\n')
	require.NoError(t, err)
	l := &load{url: strings.TrimSpace(url), requests: 10, inFlight: 2}
	_, err = runNetHTTP(t.Context(), l)
	require.NoError(t, err)
	require.NoError(t, end.Close())
	var s served
	require.NoError(t, json.NewDecoder(lines).Decode(&s))
	require.Equal(t, int64(10), s.Requests)
	require.Positive(t, s.CPU)
	require.NoError(t, <-ended)
}

func TestAServersFlagsSayTheSame(t *testing.T) {
	want := script{2 * time.Second, true, 20, 429, time.Millisecond}
	got, err := serveOptions(want.args())
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.True(t, bytes.HasPrefix(newAnswers(&want).failure, []byte("HTTP/1.1 429 Too Many Requests\r\n")))
}
