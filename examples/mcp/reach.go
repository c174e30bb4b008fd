package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/gluepipe/gluepipe/examples/mcp/weather"
	"github.com/gluepipe/gluepipe/stages/tool/mcp"
)

// reach says how to reach the server. stop is for what isn't ended by its own connection.
func reach(transport string) (server mcp.Server, stop func(), err error) {
	stop = func() {}
	server.Name = "weather"
	switch transport {
	case "in-process":
		server.InProcess = weather.NewServer()
	case "stdio":
		self, err := os.Executable()
		if err != nil {
			return server, nil, err
		}
		server.Command = []string{self, "serve"}
	case "http":
		// One elsewhere would want a key: server.Header = http.Header{"Authorization": {"Bearer ..."}}
		if server.URL, stop, err = listen(); err != nil {
			return server, nil, err
		}
	default:
		return server, nil, fmt.Errorf("-transport %s: want in-process, stdio or http", transport)
	}
	return server, stop, nil
}

// listen serves the server on a port of this machine.
func listen() (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	shared := weather.NewServer()
	web := &http.Server{
		Handler:           sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return shared }, nil),
		ReadHeaderTimeout: 10 * time.Second,
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(listener) // it returns when web is closed
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = web.Close()
		<-served
	}, nil
}
