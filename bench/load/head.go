package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
)

// head sends HEAD requests for paths taken at random from a file, each connection one after the other. It reads and
// writes the socket itself: wrk waits for a body that a HEAD does not have, net/http would cost more than the servers.
func head(r *Registry, o Options) (Result, error) {
	data, err := os.ReadFile(o.path)
	if err != nil {
		return Result{}, err
	}
	host := strings.TrimPrefix(r.base, "http://")
	var requests [][]byte
	for _, path := range strings.Fields(string(data)) {
		requests = append(requests, fmt.Appendf(nil, "HEAD %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n\r\n", path, host, o.accept))
	}
	idle := make(chan *connection, o.connections)
	for range o.connections {
		dialled, err := net.Dial("tcp", host)
		if err != nil {
			return Result{}, err
		}
		defer dialled.Close()
		idle <- &connection{dialled, bufio.NewReaderSize(dialled, 16<<10)}
	}
	return repeat(o, func(int) (int64, error) {
		taken := <-idle
		defer func() { idle <- taken }()
		return 0, taken.ask(requests[rand.IntN(len(requests))])
	}), nil
}

type connection struct {
	socket net.Conn
	reader *bufio.Reader
}

// ask sends one request and reads the head of its answer, which must be a 200.
func (c *connection) ask(request []byte) error {
	if _, err := c.socket.Write(request); err != nil {
		return err
	}
	status, err := c.reader.ReadString('\n')
	if err != nil {
		return err
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200") {
		return fmt.Errorf("HEAD: %s", strings.TrimSpace(status))
	}
	return nil
}
