package tool_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/gluepipe/gluepipe/stages/batch"
	"github.com/gluepipe/gluepipe/stages/tool"
)

// calculated returns what the tool answers for an expression.
func calculated(t *testing.T, expression string) batch.ToolExecution {
	t.Helper()
	arguments, err := json.Marshal(map[string]string{"expression": expression})
	require.NoError(t, err)
	return runOne(t, tool.Calculate(), string(arguments))
}

func TestCalculateAnswersTheNumberAlone(t *testing.T) {
	for expression, want := range map[string]string{
		"123 * 456":                 "56088",
		"6 / 3":                     "2",
		"7 / 2":                     "3.5",
		"0.1 + 0.2":                 "0.3",
		"1/3":                       "0.3333333333333333",
		"1/3 * 3":                   "1",
		"2 + 3 * 4":                 "14",
		"(2 + 3) * 4":               "20",
		"-2 ^ 2":                    "-4",
		"2 ^ 10":                    "1024",
		"2 ** 3 ** 2":               "512",
		"2 ^ -1":                    "0.5",
		"8 ^ (1/3)":                 "2",
		"10 % 3":                    "1",
		"-7 % 3":                    "-1",
		"7.5 % 2":                   "1.5",
		"2 ^ 100":                   "1267650600228229401496703205376",
		"99999999999 * 99999999999": "9999999999800000000001",
		"99999999999999999999 + 1":  "100000000000000000000",
		"12345678901234567890.5*2":  "24691357802469135781",
		"1_000.25 * 4":              "4001",
		"1e3":                       "1000",
		"1.5e-9":                    "1.5e-09",
		"10^25 / 3":                 "3.3333333333333333e+24",
		"0x10":                      "16",
		"2 × 3 ÷ 4 − 1":             "0.5",
		"sqrt(16)":                  "4",
		"sqrt(2)":                   "1.4142135623730951",
		"cbrt(27) + abs(-1)":        "4",
		"pow(2, 0.5) - sqrt(2)":     "0",
		"log10(1000) + log2(8)":     "6",
		"ln(e) + exp(0) + log(1)":   "2",
		"sin(0) + cos(0) + tan(0)":  "1",
		"2 * asin(1) - pi":          "0",
		"acos(1) + atan(0)":         "0",
		"floor(-1.5) + ceil(1.2)":   "0",
		"ceil(-1.2)":                "-1",
		"trunc(-1.9)":               "-1",
		"round(2.5)":                "3",
		"round(-2.5)":               "-3",
		"round(pi, 2)":              "3.14",
		"round(1234, -2)":           "1200",
		"min(3, 1, 2)":              "1",
		"max(3, -1, 2^5)":           "32",
		"pi":                        "3.141592653589793",
		"+5":                        "5",
		"(2/3)^999 * (3/2)^999":     "1",
		"(1/3)^999 * (1/7)^999":     "0", // too long to stay exact, too small for a float64
	} {
		e := calculated(t, expression)
		require.False(t, e.Error, "%s: %s", expression, e.Result)
		require.Equal(t, want, e.Result, expression)
	}
}

func TestCalculateSaysWhatIsWrong(t *testing.T) {
	for expression, want := range map[string]string{
		"":                                "the expression is empty",
		" ":                               "the expression is empty",
		"1 / 0":                           "division by zero",
		"1 % 0":                           "division by zero",
		"0 ^ -1":                          "division by zero",
		"sqrt(-1)":                        "the result is not a real number",
		"(-8) ^ (1/3)":                    "the result is not a real number",
		"log(0)":                          "the number is too large",
		"9 ^ 9 ^ 9 ^ 9":                   "the number is too large",
		"10^308 * 10":                     "the number is too large",
		"2 +":                             "at column 3",
		"(1 + 2":                          "unexpected token EOF",
		"1,000":                           `unexpected token Operator(",")`,
		"√2":                              "unexpected '√'",
		"7 // 2":                          "floor(a / b)",
		"7 /* 2 */":                       "not operators",
		"x + 1":                           `unknown name "x"; the constants are pi and e`,
		"$env":                            "unknown name",
		"fact(5)":                         `unknown function "fact"; the functions are abs, acos,`,
		"sqrt(1, 2)":                      "sqrt does not take 2 arguments",
		"min()":                           "min does not take 0 arguments",
		"round(1, 0.5)":                   "must be whole",
		"round(1, 1000)":                  "at most 308",
		"1..1000000000":                   `the operator ".." is not arithmetic`,
		"1 == 1":                          `the operator "==" is not arithmetic`,
		"not 1":                           `the operator "not" is not arithmetic`,
		"map(1..9, # * 2)":                `unknown function "map"`,
		"repeat('a', 1000000)":            `unknown function "repeat"`,
		"now()":                           `unknown function "now"`,
		"'a' + 'b'":                       "only arithmetic is understood",
		"[1, 2][0]":                       "only arithmetic is understood",
		"1 ? 2 : 3":                       "only arithmetic is understood",
		"let a = 1; a":                    "only arithmetic is understood",
		strings.Repeat("1", 400):          "the number is too large",
		"1" + strings.Repeat(" + 1", 300): "at most 1000 are allowed",
	} {
		e := calculated(t, expression)
		require.True(t, e.Error, "%s: %s", expression, e.Result)
		require.Contains(t, e.Result, want, expression)
		require.NotContains(t, e.Result, "\n")
	}
}

func TestCalculateWantsAnExpression(t *testing.T) {
	require.Equal(t, `error: arguments: at "/expression": missing property`, runOne(t, tool.Calculate(), "").Result)
	require.Equal(t, `error: arguments: at "/expression": got number, want string`,
		runOne(t, tool.Calculate(), `{"expression": 5}`).Result)
}

func FuzzCalculateAnswersANumberOrAnError(f *testing.F) {
	for _, seed := range []string{
		"1+1", "2^-3", "((((", ";", "1;", "sqrt(", "1e308*10", "1/3-0.1", "min(1,", "a.b", "#", "'", "`", "0x", "1_", ".5", "5.",
		"9^9^9", "round(1/7,300)", "(1/3)^600^2", "{", "[1", "if", "let", "1|abs()", "-(-1)", "99999999999999999999%7",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		e := calculated(t, expression)
		require.NotContains(t, e.Result, "panicked")
		if !e.Error {
			_, ok := new(big.Rat).SetString(e.Result)
			require.True(t, ok, e.Result)
		}
	})
}

func TestNowAnswersInTheTimezoneAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is midnight UTC on 1 January 2000
		for arguments, want := range map[string]string{
			``:                              "2000-01-01T00:00:00Z",
			`{}`:                            "2000-01-01T00:00:00Z",
			`{"timezone": null}`:            "2000-01-01T00:00:00Z",
			`{"timezone": ""}`:              "2000-01-01T00:00:00Z",
			`{"timezone": "UTC"}`:           "2000-01-01T00:00:00Z",
			`{"timezone": "Europe/Berlin"}`: "2000-01-01T01:00:00+01:00",
			`{"timezone": "Asia/Kolkata"}`:  "2000-01-01T05:30:00+05:30",
		} {
			e := runOne(t, tool.Now(), arguments)
			require.False(t, e.Error, e.Result)
			require.Equal(t, want, e.Result)
		}
	})
}

func TestNowExplainsAnUnknownTimezone(t *testing.T) {
	for _, zone := range []string{"PST8", "Mars/Olympus", "../../etc/passwd", "Local"} {
		e := runOne(t, tool.Now(), `{"timezone": "`+zone+`"}`)
		require.True(t, e.Error)
		require.Equal(t, `error: unknown timezone "`+zone+`"; use an IANA name such as "Europe/Berlin", or leave it out for UTC`,
			e.Result)
	}
}

func TestBuiltinsAreChosenByName(t *testing.T) {
	selected, err := tool.Select(tool.Builtins(), "now", "calculate")
	require.NoError(t, err)
	require.Equal(t, "now", selected[0].Name)
	require.Equal(t, "calculate", selected[1].Name)
	for _, builtin := range tool.Builtins() {
		require.True(t, builtin.ReadOnly, builtin.Name)
		require.NotEmpty(t, builtin.Description)
	}

	_, err = tool.Select(tool.Builtins(), "now", "search")
	require.EqualError(t, err, `unknown tool "search"; the tools are: calculate, now`)
	none, err := tool.Select(nil)
	require.NoError(t, err)
	require.Empty(t, none)
}
