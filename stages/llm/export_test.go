package llm

// AnnounceStart lets tests stand in for the limits below a Hedge.
var AnnounceStart = announceStart
