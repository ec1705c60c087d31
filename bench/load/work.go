package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
)

// Entry is an artifact that seed pushed.
type Entry struct {
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	Layer  string `json:"layer"`
}

// work runs the named kind of work.
func work(r *Registry, o Options, name string) (Result, error) {
	switch name {
	case "seed":
		return seed(r, o)
	case "push":
		return repeat(o, func(i int) (int64, error) {
			_, err := r.putArtifact(fmt.Sprintf("%s-%d", o.run, i), content(o, i), config(o, i))
			return o.size, err
		}), nil
	case "put", "patch":
		return upload(r, o, name == "patch")
	case "get":
		return repeat(o, func(int) (int64, error) {
			_, read, err := r.do("GET", o.path, nil, 0, nil, http.StatusOK)
			return read, err
		}), nil
	case "head":
		return head(r, o)
	case "range":
		return repeat(o, func(int) (int64, error) {
			start := rand.Int64N(o.size - o.span)
			header := map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", start, start+o.span-1)}
			_, read, err := r.do("GET", o.path, nil, 0, header, http.StatusPartialContent)
			if err == nil && read != o.span {
				err = fmt.Errorf("a range of %d bytes came with %d", o.span, read)
			}
			return read, err
		}), nil
	case "retag":
		return retag(r, o)
	case "tagmany":
		return tagmany(r, o)
	case "pages":
		return repeat(o, func(int) (int64, error) {
			last := fmt.Sprintf("many-%07d", rand.IntN(int(o.size)))
			_, read, err := r.do("GET", "/v2/"+r.repo+"/tags/list?n=100&last="+last, nil, 0, nil, http.StatusOK)
			return read, err
		}), nil
	}
	return Result{}, fmt.Errorf("%q is no work: seed, push, put, patch, get, head, range, retag, tagmany or pages", name)
}

// content is the i-th layer of a run: o.size bytes that no other run pushes.
func content(o Options, i int) []byte {
	data, _ := io.ReadAll(stream(fmt.Sprintf("%s/%s/%d", o.repo, o.run, i), o.size))
	return data
}

func config(o Options, i int) []byte {
	return fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","run":"%s/%s","i":%d}`, o.repo, o.run, i)
}

// stream gives size bytes that do not compress, the same for the same name, cheaply: one random block, counted.
func stream(name string, size int64) io.Reader {
	source := &blocks{block: make([]byte, 64<<10)}
	rand.NewChaCha8(sha256.Sum256([]byte(name))).Read(source.block)
	return io.LimitReader(source, size)
}

type blocks struct {
	block []byte
	at    int
	count uint64
}

func (b *blocks) Read(p []byte) (int, error) {
	if b.at == 0 {
		b.count++
		binary.LittleEndian.PutUint64(b.block, b.count)
	}
	n := copy(p, b.block[b.at:])
	b.at = (b.at + n) % len(b.block)
	return n, nil
}

// seed pushes o.count artifacts under tags and tells their names, for the readers.
func seed(r *Registry, o Options) (Result, error) {
	entries := make([]Entry, o.count)
	result := repeat(o, func(i int) (int64, error) {
		entry, err := r.putArtifact(fmt.Sprintf("%s-%d", o.run, i), content(o, i), config(o, i))
		entries[i] = entry
		return o.size, err
	})
	if result.Errors > 0 {
		return result, fmt.Errorf("seeding: %s", result.Error)
	}
	result.Seeded = entries
	return result, nil
}

// upload pushes blobs of o.size bytes; their digests are computed before the clock runs.
func upload(r *Registry, o Options, chunks bool) (Result, error) {
	digests := make([]string, max(o.count, 1))
	for i := range digests {
		hash := sha256.New()
		io.Copy(hash, stream(fmt.Sprintf("%s/%d", o.run, i), o.size))
		digests[i] = "sha256:" + hex.EncodeToString(hash.Sum(nil))
	}
	o.count = len(digests)
	result := repeat(o, func(i int) (int64, error) {
		body := stream(fmt.Sprintf("%s/%d", o.run, i), o.size)
		if chunks {
			return o.size, r.patchBlob(digests[i], body, o.size, o.span)
		}
		return o.size, r.putBlob(digests[i], body, o.size)
	})
	for _, digest := range digests {
		result.Seeded = append(result.Seeded, Entry{Layer: digest})
	}
	return result, nil
}

// retag moves 64 tags to one manifest again and again.
func retag(r *Registry, o Options) (Result, error) {
	manifest, err := oneManifest(r, o)
	if err != nil {
		return Result{}, err
	}
	return repeat(o, func(i int) (int64, error) {
		return int64(len(manifest)), r.putManifest(fmt.Sprintf("%s-%d", o.run, i%64), manifest)
	}), nil
}

// tagmany puts one manifest under o.count tags, 100 with each request (`?tag=`, distribution-spec after 1.1).
func tagmany(r *Registry, o Options) (Result, error) {
	manifest, err := oneManifest(r, o)
	if err != nil {
		return Result{}, err
	}
	tags := o.count
	o.count = (tags + 99) / 100
	return repeat(o, func(i int) (int64, error) {
		var query strings.Builder
		for tag := i * 100; tag < min(tags, i*100+100); tag++ {
			fmt.Fprintf(&query, "&tag=many-%07d", tag)
		}
		return 0, r.putManifest(digestOf(manifest)+"?"+query.String()[1:], manifest)
	}), nil
}

// oneManifest pushes an artifact and returns its manifest's bytes.
func oneManifest(r *Registry, o Options) ([]byte, error) {
	entry, err := r.putArtifact(o.run, content(o, 0), config(o, 0))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest("GET", r.base+"/v2/"+r.repo+"/manifests/"+entry.Digest, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", manifestType)
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(answer.Body)
	return body.Bytes(), err
}
