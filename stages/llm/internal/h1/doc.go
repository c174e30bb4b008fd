// Package h1 speaks HTTP/1.1 to servers at http:// addresses, for about half the work that net/http does for a call: the
// request is written and the answer read by the goroutine that asks, where net/http wakes two others for each connection.
//
// It sends what [Speaks] says, and leaves all else to net/http. It reads common answers by itself, and has
// [http.ReadResponse] read the others, so that what an answer means is the same in both.
package h1
