// Load drives one registry with one kind of work and prints what it measured as one line of JSON.
//
//	load -base http://127.0.0.1:5000 -repo bench/small -c 16 -seconds 4 push
//
// Work: seed, push, put, patch, get, head, range, retag, tagmany, pages. It stops by itself, after -seconds or after -n pieces.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the flags, the same for every kind of work; each work names those it reads.
type Options struct {
	base, repo, path, run, accept string
	connections, count            int
	seconds                       float64
	size, span                    int64
}

// Result is what is printed. Latencies are of one piece of work, in milliseconds.
type Result struct {
	Count   int     `json:"count"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	P50     float64 `json:"p50"`
	P99     float64 `json:"p99"`
	Errors  int     `json:"errors"`
	Error   string  `json:"error,omitempty"`
	Seeded  []Entry `json:"seeded,omitempty"`
}

// Piece does the i-th piece of work and tells how many bytes of payload it moved.
type Piece func(i int) (int64, error)

func main() {
	var o Options
	flag.StringVar(&o.base, "base", "", "address of the registry, http://HOST:PORT")
	flag.StringVar(&o.repo, "repo", "bench/load", "repository")
	flag.StringVar(&o.path, "path", "", "path below -base (get, range); a file of paths (head)")
	flag.StringVar(&o.accept, "accept", "*/*", "media types asked for (head)")
	flag.StringVar(&o.run, "run", "0", "makes this run's content and tags different from every other's")
	flag.IntVar(&o.connections, "c", 1, "pieces at a time")
	flag.IntVar(&o.count, "n", 0, "pieces to do; 0 means as many as -seconds allow")
	flag.Float64Var(&o.seconds, "seconds", 4, "time to start new pieces in, where -n is 0")
	flag.Int64Var(&o.size, "size", 8<<10, "bytes of a blob")
	flag.Int64Var(&o.span, "span", 64<<10, "bytes of a range (range) or of a chunk (patch)")
	flag.Parse()

	registry := &Registry{base: o.base, repo: o.repo, client: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: o.connections, MaxConnsPerHost: o.connections, DisableCompression: true,
		WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10,
	}}}
	result, err := work(registry, o, flag.Arg(0))
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(result)
}

// repeat runs pieces from o.connections goroutines until the count or the time is used up.
func repeat(o Options, piece Piece) Result {
	var (
		next    atomic.Int64
		lock    sync.Mutex
		group   sync.WaitGroup
		result  Result
		took    []float64
		start   = time.Now()
		seconds = time.Duration(o.seconds * float64(time.Second))
	)
	more := func(i int) bool { return (o.count > 0 && i < o.count) || (o.count == 0 && time.Since(start) < seconds) }
	for range o.connections {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := int(next.Add(1)) - 1; more(i); i = int(next.Add(1)) - 1 {
				begun := time.Now()
				bytes, err := piece(i)
				passed := time.Since(begun)
				lock.Lock()
				if err != nil {
					result.Errors++
					result.Error = err.Error()
				} else {
					result.Count++
					result.Bytes += bytes
					took = append(took, float64(passed.Microseconds())/1000)
				}
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	result.Seconds = time.Since(start).Seconds()
	sort.Float64s(took)
	if len(took) > 0 {
		result.P50, result.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return result
}
