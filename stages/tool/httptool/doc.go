// Package httptool makes tools for models from HTTP requests: a method, a URL with fields for the model's arguments, and
// headers, as a configuration file has them.
//
//	weather, err := httptool.New(httptool.Config{
//		Name:        "get_weather",
//		Description: "Tells the current weather in a city.",
//		Parameters:  json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`),
//		URL:         "https://api.example.com/v1/weather/{{.city}}?units=metric",
//		Header:      http.Header{"Authorization": {"Bearer " + os.Getenv("WEATHER_TOKEN")}},
//		ReadOnly:    true,
//	})
//
// # What a model can reach
//
// The configuration decides where requests go; the model fills in values. A field stands in the path or the query only, and
// its value is escaped for that place: it never changes the host, and never climbs out of its place in the path.
//
// Addresses that are not public are refused when the connection is made, after the name is resolved: loopback, private and
// link-local ones (where clouds answer with credentials), and IPv6 addresses that stand for such. So neither a redirect nor
// a name that changes its address leads into the network that this program runs in, unless AllowPrivate says that it may.
// Proxies of the environment are not used, since a proxy would resolve the name by itself.
//
// A redirect is followed, at most three times, where it stays on the same scheme, host and port. So what stands in the
// headers reaches nobody else.
//
// # What the model reads
//
// The body of an answer with a status of 2xx, if it is text, else its type and size. A longer body than MaxOutput is cut,
// after decompression. Any other status is an error with the beginning of the body. Neither errors nor answers repeat the
// URL's query or the headers, but an answer may hold what the server says: see tool.Redact for secrets that it might repeat.
package httptool
