package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"
	yamlparser "github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

const (
	envPrefix         = "GLUEPIPE_"
	dotenvFile        = ".env"
	defaultConfigFile = "gluepipe.yaml"
)

// layers holds the settings that stand outside the command line. A later layer wins over an earlier one.
type layers struct {
	merged  *koanf.Koanf
	origins map[string]string // where the value of a key comes from, for people
}

// loadSettings sets the flags that the command line left out: from the environment, else from .env in the working
// directory, else from the configuration file. prefix stands before the flags' keys; config is the value of --config. It
// returns the environment, .env included.
func (a *app) loadSettings(flags *pflag.FlagSet, prefix, config string) (lookupFunc, error) {
	dotenv, err := readDotenv()
	if err != nil {
		return nil, err
	}
	environment := lookupFunc(func(name string) (string, bool) {
		if value, ok := a.lookup(name); ok {
			return value, true
		}
		value, ok := dotenv[name]
		return value, ok
	})
	path, required := config, true
	if path == "" {
		path, required = environment(envPrefix + "CONFIG")
	}
	if path == "" {
		path, required = defaultConfigFile, false
	}
	file, err := a.readConfigFile(path, required)
	if err != nil {
		return nil, err
	}
	a.given = map[string]bool{}
	fromEnv, fromDotenv := map[string]any{}, map[string]any{}
	flags.VisitAll(func(flag *pflag.Flag) {
		a.given[flag.Name] = flag.Changed
		key := prefix + keyOf(flag)
		if value, ok := dotenv[envName(key)]; ok {
			fromDotenv[key] = value
		}
		if value, ok := a.lookup(envName(key)); ok {
			fromEnv[key] = value
		}
	})
	l := &layers{merged: koanf.New("."), origins: map[string]string{}}
	err = errors.Join(
		l.add(file, func(key string) string { return path + ": " + key }),
		l.add(fromDotenv, func(key string) string { return dotenvFile + ": " + envName(key) }),
		l.add(fromEnv, func(key string) string { return "environment variable " + envName(key) }),
	)
	if err != nil {
		return nil, err
	}
	return environment, l.apply(flags, prefix, a.origins)
}

func (l *layers) add(values map[string]any, origin func(key string) string) error {
	for key, value := range values {
		// An empty variable is one that is not set, and a key without a value says nothing.
		if value == nil || value == "" {
			continue
		}
		// Without this, koanf would merge the params of two layers one by one.
		l.merged.Delete(key)
		if err := l.merged.Load(confmap.Provider(map[string]any{key: value}, ""), nil); err != nil {
			return usagef("%s: %w", origin(key), err)
		}
		l.origins[key] = origin(key)
	}
	return nil
}

// apply sets the flags that the command line left out, and adds to origins where their values come from. prefix stands before
// the flags' keys.
func (l *layers) apply(flags *pflag.FlagSet, prefix string, origins map[string]string) error {
	var failed error
	flags.VisitAll(func(flag *pflag.Flag) {
		key := prefix + keyOf(flag)
		if failed != nil || flag.Changed || l.origins[key] == "" {
			return
		}
		origins[flag.Name] = l.origins[key]
		texts, err := settingTexts(flag.Value, l.merged.Get(key))
		for _, text := range texts {
			err = errors.Join(err, flag.Value.Set(text))
		}
		if err != nil {
			failed = usagef("%s: %w", l.origins[key], err)
		}
	})
	return failed
}

// settingTexts returns what to give to the flag's Set for a value as it stands in YAML.
func settingTexts(flag pflag.Value, value any) ([]string, error) {
	_, isParams := flag.(paramsValue)
	_, isNames := flag.(listValue)
	_, isServers := flag.(serversValue)
	isList := isNames || isServers
	switch v := value.(type) {
	case []any:
		if !isParams && !isList {
			return nil, errors.New("want one value, got a list")
		}
		texts := make([]string, len(v))
		for i := range v {
			switch v[i].(type) {
			case nil, []any, map[string]any:
				return nil, fmt.Errorf("want a list of texts: number %d is none", i+1)
			}
			texts[i] = fmt.Sprint(v[i])
		}
		return texts, nil
	case map[string]any:
		if isServers {
			for name, server := range v {
				if server == nil {
					return nil, fmt.Errorf("%s: want a command or a url", name)
				}
			}
			return slices.Sorted(maps.Keys(v)), nil // definitions, which are called by their names
		}
		if !isParams {
			return nil, errors.New("want one value, got a mapping")
		}
		var object bytes.Buffer
		enc := json.NewEncoder(&object)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			return nil, errors.New("want values that JSON can hold")
		}
		return []string{object.String()}, nil
	}
	return []string{fmt.Sprint(value)}, nil
}

// readDotenv reads .env in the working directory, if there is one.
func readDotenv() (map[string]string, error) {
	values, err := godotenv.Read(dotenvFile)
	switch {
	case err == nil:
		return values, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	}
	if info, statErr := os.Stat(dotenvFile); statErr == nil && info.IsDir() {
		return nil, nil // somebody's Python lives there
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, usagef("%w", err)
	}
	// godotenv quotes the text around the mistake, which may be a key.
	return nil, usagef("%s: want lines of the form NAME=value", dotenvFile)
}

// readConfigFile returns the settings of the file, and keeps what it defines.
func (a *app) readConfigFile(path string, required bool) (map[string]any, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !required {
		return nil, nil
	}
	if err != nil {
		return nil, usagef("reading the configuration: %w", err)
	}
	values, err := yamlparser.Parser().Unmarshal(data)
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, text := range wrong.Errors {
			if strings.Contains(text, " already defined at line ") { // other texts quote values
				return nil, usagef("%s: %s", path, text)
			}
		}
		return nil, usagef("%s: want lines of the form key: value", path)
	}
	if err != nil {
		return nil, usagef("%s: %w", path, err)
	}
	if a.definitions, err = readDefinitions(path, data); err != nil {
		return nil, err
	}
	delete(values, customToolsKey)
	keys := configKeys()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(keys, key) {
			continue
		}
		if name := strings.ToLower(key); strings.HasSuffix(name, "api_key") || strings.HasSuffix(name, "api_keys") {
			return nil, usagef("%s: %s: keys don't belong into a configuration file; "+
				"set the provider's environment variable, or api_key_file", path, key)
		}
		if known := strings.ReplaceAll(key, "-", "_"); slices.Contains(keys, known) {
			return nil, usagef("%s: unknown key %q: want %s", path, key, known)
		}
		return nil, usagef("%s: unknown key %q", path, key)
	}
	return values, nil
}

// configKeys returns what a configuration file may hold: the settings of all commands.
func configKeys() (keys []string) {
	run, mock := pflag.NewFlagSet("", 0), pflag.NewFlagSet("", 0)
	defaultSettings().runFlags(run)
	defaultMockSettings().flags(mock)
	run.VisitAll(func(flag *pflag.Flag) { keys = append(keys, keyOf(flag)) })
	mock.VisitAll(func(flag *pflag.Flag) { keys = append(keys, mockPrefix+keyOf(flag)) })
	return slices.DeleteFunc(keys, func(key string) bool { return key == "config" })
}

func keyOf(flag *pflag.Flag) string { return strings.ReplaceAll(flag.Name, "-", "_") }

func envName(key string) string { return envPrefix + strings.ToUpper(key) }
