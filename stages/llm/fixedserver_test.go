package llm_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveVar makes this program serve fixed answers instead of testing.
const serveVar = "GLUEPIPE_TEST_SERVE"

// startFixed starts this program as a server, and returns its base URL.
func startFixed(b *testing.B) string {
	b.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serveVar+"=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe() // it ends when this is closed
	require.NoError(b, err)
	stdout, err := server.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, server.Start())
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = server.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(b, err)
	return "http://" + strings.TrimSpace(address) + "/v1"
}

// serveFixed answers every request alike until standard input ends.
func serveFixed() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	answer := withLength(200, choice(`{"role":"assistant","content":"`+strings.Repeat("x", 700)+`"}`, "stop"))
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerAlike(conn, answer)
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func answerAlike(conn net.Conn, answer string) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}
