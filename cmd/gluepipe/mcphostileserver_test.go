package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// asHostile, as its first argument, makes the test binary be a program that serves a run badly: "mcp" is an MCP server on
// its standard input and output, anything else a command that does as that fault of hostileFaults does.
const asHostile = "hostile"

// hugeAnswer is the size of an answer that nobody should hold in memory.
const hugeAnswer = 100 << 20

// hostileFaults are the ways in which a tool goes wrong, and the names of the tools that do.
var hostileFaults = []string{"good", "huge", "hugelateid", "garble", "noise", "liar", "wrong", "twice", "hang", "crash"}

// hostile does what a command does that was started with these arguments, and returns its exit code.
func hostile(args []string) int {
	switch args[0] {
	case "mcp":
		hostileServer(os.Stdin, os.Stdout)
	case "huge":
		flood(os.Stdout, hugeAnswer)
	case "garble":
		fmt.Print("before \xff\xfe\x00 after")
	case "noise":
		flood(os.Stderr, 20<<20)
		fmt.Print("ok")
	case "hang":
		select {}
	case "crash":
		panic("this program is broken")
	default:
		fmt.Print("ok")
	}
	return 0
}

// flood writes n bytes.
func flood(w io.Writer, n int) {
	part := strings.Repeat("x", 64<<10)
	for ; n > 0; n -= len(part) {
		_, _ = io.WriteString(w, part)
	}
}

// hostileMessage is what a client sends to an MCP server.
type hostileMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		ProtocolVersion string `json:"protocolVersion"`
		Name            string `json:"name"`
	} `json:"params"`
}

// hostileServer is an MCP server without an SDK, which would not let it break the rules.
func hostileServer(in io.Reader, out io.Writer) {
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "Welcome to the hostile server! Listening on nothing.")
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var m hostileMessage
		if json.Unmarshal(line, &m) == nil && m.ID != nil && m.Method != "" {
			hostileReply(w, &m)
			_ = w.Flush()
		}
	}
}

func hostileReply(w io.Writer, m *hostileMessage) {
	switch m.Params.Name {
	case "hang":
	case "crash":
		panic("this server is broken")
	case "noise":
		flood(os.Stderr, 20<<20)
		fmt.Fprintln(w, hostileAnswer(m))
	case "liar":
		fmt.Fprintln(w, strings.Join(lies, "\n"))
		fallthrough
	case "twice":
		fmt.Fprintln(w, hostileAnswer(m))
		fallthrough
	default:
		writeHostileAnswer(w, m)
	}
}

// hostileAnswer is a whole answer of one line.
func hostileAnswer(m *hostileMessage) string {
	var result string
	switch m.Method {
	case "initialize":
		version, _ := json.Marshal(m.Params.ProtocolVersion)
		result = `{"protocolVersion":` + string(version) + `,"capabilities":{"tools":{"listChanged":true},"nonsense":5},` +
			`"serverInfo":{"name":"hostile","version":"1"}}`
	case "tools/list":
		var tools []string
		for _, fault := range hostileFaults {
			tools = append(tools, `{"name":"`+fault+`","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}`)
		}
		result = `{"tools":[` + strings.Join(tools, ",") + `]}`
	case "tools/call":
		result = `{"content":[{"type":"text","text":"ok"}]}`
		switch m.Params.Name {
		case "garble":
			result = `{"content":[{"type":"text","text":"before ` + "\xff\xfe" + `\u0000\ud800 after"}]}`
		case "wrong":
			result = `{"content":[5,{"type":"hologram","text":7},null],"isError":"perhaps"}`
		}
	default:
		result = `{}`
	}
	return `{"jsonrpc":"2.0","id":` + string(m.ID) + `,"result":` + result + `}`
}

// writeHostileAnswer writes an answer that may be too large for one.
func writeHostileAnswer(w io.Writer, m *hostileMessage) {
	switch m.Params.Name {
	case "huge":
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(m.ID)+`,"result":{"content":[{"type":"text","text":"`)
		flood(w, hugeAnswer)
		_, _ = io.WriteString(w, `"}]}}`)
	case "hugelateid":
		_, _ = io.WriteString(w, `{"result":{"content":[{"type":"text","text":"{\"id\": 7, `)
		flood(w, hugeAnswer)
		_, _ = io.WriteString(w, `"}]},"id":`+string(m.ID)+`,"jsonrpc":"2.0"}`)
	default:
		_, _ = io.WriteString(w, hostileAnswer(m))
	}
	_, _ = io.WriteString(w, "\n")
}

// lies are lines that no server should write.
var lies = []string{
	``, `   `, `null`, `5`, `"text"`, `[]`, `[[]]`, `{`, `{}`, `{"jsonrpc":"2.0"}`, `{"jsonrpc":"1.0","id":1,"result":{}}`,
	`{"jsonrpc":"2.0","id":987654321,"result":{"content":[]}}`,
	`{"jsonrpc":"2.0","id":99999999999999999999999999999999,"result":{}}`,
	`{"jsonrpc":"2.0","id":1e400,"result":{}}`,
	`{"jsonrpc":"2.0","id":-1,"result":{}}`,
	`{"jsonrpc":"2.0","id":0.5,"result":{}}`,
	`{"jsonrpc":"2.0","id":"1","result":{}}`,
	`{"jsonrpc":"2.0","id":"nobody asked","error":{"code":-1,"message":"no"}}`,
	`{"jsonrpc":"2.0","id":{},"result":{}}`, `{"jsonrpc":"2.0","id":null,"result":{}}`, `{"jsonrpc":"2.0","id":[1],"result":{}}`,
	`{"jsonrpc":"2.0","id":null,"error":{"code":"text","message":5}}`,
	`{"jsonrpc":"2.0","error":"text"}`,
	`{"jsonrpc":"2.0","method":"notifications/nobody_knows","params":{"a":[1,2,3]}}`,
	`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"because"}}`,
	`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"x","progress":"many"}}`,
	`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"loud","data":{"x":1}}}`,
	`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":[]}`,
	`{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1}}`,
	`{"jsonrpc":"2.0","id":2,"method":"roots/list"}`,
	`{"jsonrpc":"2.0","id":2,"method":"roots/list"}`,
	`{"jsonrpc":"2.0","id":"e","method":"elicitation/create","params":{"message":"your key?","requestedSchema":{}}}`,
	`{"jsonrpc":"2.0","id":3,"method":"ping"}`,
	`{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"good"}}`,
	`{"jsonrpc":"2.0","id":5,"method":"` + strings.Repeat("m", 100_000) + `"}`,
	`{"jsonrpc":"2.0","method":"x","params":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
}

// newHostileHTTP serves the same on loopback: MCP at /mcp, and each fault by itself at its name.
func newHostileHTTP(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", hostileMCP)
	mux.HandleFunc("/{fault}", func(w http.ResponseWriter, r *http.Request) {
		switch r.PathValue("fault") {
		case "huge":
			flood(w, hugeAnswer)
		case "garble":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "before \xff\xfe\x00 after")
		case "hang":
			<-r.Context().Done()
		case "crash":
			panic(http.ErrAbortHandler)
		default:
			_, _ = io.WriteString(w, "ok")
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func hostileMCP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var m hostileMessage
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch m.Params.Name {
	case "":
		if m.ID == nil || m.Method == "" {
			w.WriteHeader(http.StatusAccepted)
			return
		}
	case "hang":
		<-r.Context().Done()
		return
	case "crash":
		panic(http.ErrAbortHandler)
	case "liar", "twice":
		w.Header().Set("Content-Type", "text/event-stream")
		if m.Params.Name == "liar" {
			for _, lie := range lies {
				fmt.Fprintf(w, "event: message\ndata: %s\n\n", lie)
			}
		}
		fmt.Fprintf(w, "data: %s\n\ndata: %[1]s\n\n", hostileAnswer(&m))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	writeHostileAnswer(w, &m)
}
