package mcp

import (
	"cmp"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// defaultName returns the name of a server that the caller gave none; "" where only the server itself can tell.
func defaultName(s *Server) string {
	switch {
	case len(s.Command) > 0:
		return commandName(s.Command)
	case s.URL != "":
		return urlName(s.URL)
	}
	return ""
}

const maxServerName = 32

// serverName makes a valid name of any text: what a server calls itself, or what was found in its command.
func serverName(text string) string {
	name := strings.Trim(invalidInName.ReplaceAllString(text, "-"), "-_")
	return name[:min(len(name), maxServerName)]
}

// freeName returns name, numbered where it is taken.
func freeName(name string, taken map[string]bool) string {
	for n, base := 2, name; taken[name]; n++ {
		suffix := "-" + strconv.Itoa(n)
		name = base[:min(len(base), maxServerName-len(suffix))] + suffix
	}
	return name
}

// launchers are programs that run the program which matters: their own name says nothing.
var launchers = words("npx npm pnpm pnpx yarn bun bunx deno node tsx ts-node uv uvx pipx python python3 pypy pypy3 py docker " +
	"podman nerdctl go cargo java ruby php perl dotnet bash sh zsh cmd env nice sudo time timeout")

// shells are the launchers that take a whole script for an argument.
var shells = words("bash sh zsh cmd")

// verbs are what stands between a launcher and the program.
var verbs = words("run exec dlx x tool start container")

// valued are the flags of launchers that are followed by a value which is not the program.
var valued = words("-e --env --env-file -v --volume --mount --name --network --net -p --publish -w --workdir -u --user " +
	"--entrypoint --platform --add-host -h --hostname -l --label --memory --cpus --directory --project --with --from --python " +
	"--index-url --prefix --registry --cwd -r --require --import --loader -C")

// generic are words that say nothing about what a server does.
var generic = words("mcp server servers index main dist build src lib bin out app cli run start target debug release stdio node_modules")

func words(list string) map[string]bool {
	set := make(map[string]bool)
	for word := range strings.FieldsSeq(list) {
		set[word] = true
	}
	return set
}

// commandName returns the telling word of a command: "everything" of "npx -y @modelcontextprotocol/server-everything@1.2".
func commandName(command []string) string {
	rest := command
	for len(rest) > 1 && launchers[programName(rest[0])] {
		arguments := rest[1:]
		if shells[programName(rest[0])] { // the script, which may hold anything
			script := slices.IndexFunc(arguments, func(word string) bool { return !strings.HasPrefix(word, "-") })
			arguments = strings.Fields(arguments[max(script, 0)])
		}
		next := skipLauncher(arguments)
		if len(next) == 0 {
			break
		}
		rest = next
	}
	return telling(rest[0])
}

var pythonVersion = regexp.MustCompile(`^(python|pypy)[0-9.]+$`)

func programName(program string) string {
	name := strings.ToLower(path.Base(strings.ReplaceAll(program, `\`, "/")))
	for _, suffix := range []string{".exe", ".cmd", ".bat"} {
		name = strings.TrimSuffix(name, suffix)
	}
	if pythonVersion.MatchString(name) {
		return "python"
	}
	return name
}

// assignment is what env sets for the program.
var assignment = regexp.MustCompile(`^[A-Za-z_]\w*=([^=]|$)`)

// skipLauncher returns the arguments of a launcher from the program on.
func skipLauncher(arguments []string) []string {
	for i := 0; i < len(arguments); i++ {
		switch word := arguments[i]; {
		case valued[word]:
			i++
		case strings.HasPrefix(word, "-"), verbs[word], assignment.MatchString(word):
		default:
			return arguments[i:]
		}
	}
	return nil
}

var version = regexp.MustCompile(`([^/])(@|==|:).*$`) // the @ of a scope begins its part of the path

// telling takes the last part of a path or package that says something, without version, extension and the like.
func telling(word string) string {
	word = version.ReplaceAllString(strings.ReplaceAll(driveless(word), `\`, "/"), "$1")
	parts := strings.Split(word, "/")
	for _, part := range slices.Backward(parts) {
		part = strings.TrimPrefix(part, "@")
		if extension := path.Ext(part); len(extension) > 1 && len(extension) <= 5 && len(extension) < len(part) {
			part = strings.TrimSuffix(part, extension)
		}
		if name := serverName(undecorated(part)); name != "" && !generic[strings.ToLower(name)] {
			return name
		}
	}
	return "server"
}

func driveless(word string) string {
	if len(word) > 2 && word[1] == ':' && (word[2] == '\\' || word[2] == '/') {
		return word[2:]
	}
	return word
}

// undecorated drops the words "mcp" and "server" at a name's ends: "git" of "mcp-server-git".
func undecorated(name string) string {
	for {
		before := name
		for _, word := range []string{"mcp", "server"} {
			for _, hyphen := range []string{"-", "_"} {
				name = strings.TrimSuffix(strings.TrimPrefix(name, word+hyphen), hyphen+word)
			}
		}
		if name == before {
			return name
		}
	}
}

// urlName returns the telling label of a URL's host: "example" of "https://mcp.example.com/mcp".
func urlName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "server"
	}
	host := u.Hostname()
	if ip := net.ParseIP(host); ip != nil {
		if ip.IsLoopback() {
			return "localhost"
		}
		return cmp.Or(serverName(host), "server")
	}
	labels := strings.Split(host, ".")
	if len(labels) > 1 { // the top level domain, and what stands before it in co.uk and com.au
		labels = labels[:len(labels)-1]
	}
	if last := len(labels) - 1; last > 0 && len(labels[last]) <= 3 && !generic[labels[last]] {
		labels = labels[:last]
	}
	for _, label := range slices.Backward(labels) {
		if name := serverName(undecorated(label)); name != "" && !generic[strings.ToLower(name)] {
			return name
		}
	}
	return "server"
}
