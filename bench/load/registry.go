package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const manifestType = "application/vnd.oci.image.manifest.v1+json"

// Registry is one repository of one registry, seen through the distribution API.
type Registry struct {
	base, repo string
	client     *http.Client
}

// Descriptor is the triple of the image specification.
type Descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// do sends a request and reads its whole answer; any other status than the wanted one is an error.
func (r *Registry) do(method, address string, body io.Reader, size int64, header map[string]string, want int) (*http.Response, int64, error) {
	if strings.HasPrefix(address, "/") {
		address = r.base + address
	}
	request, err := http.NewRequest(method, address, body)
	if err != nil {
		return nil, 0, err
	}
	request.ContentLength = size
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != want {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 500))
		io.Copy(io.Discard, answer.Body)
		return nil, 0, fmt.Errorf("%s %s: %s: %s", method, address, answer.Status, text)
	}
	read, err := io.Copy(io.Discard, answer.Body)
	return answer, read, err
}

// begin starts an upload and returns its address.
func (r *Registry) begin() (*url.URL, error) {
	answer, _, err := r.do("POST", "/v2/"+r.repo+"/blobs/uploads/", nil, 0, nil, http.StatusAccepted)
	if err != nil {
		return nil, err
	}
	return answer.Location()
}

// finish closes an upload with its digest and, where there is one, its last or only piece.
func (r *Registry) finish(location *url.URL, digest string, body io.Reader, size int64) error {
	query := location.Query()
	query.Set("digest", digest)
	location.RawQuery = query.Encode()
	_, _, err := r.do("PUT", location.String(), body, size, map[string]string{"Content-Type": "application/octet-stream"}, http.StatusCreated)
	return err
}

// putBlob is POST and PUT, what most clients do.
func (r *Registry) putBlob(digest string, body io.Reader, size int64) error {
	location, err := r.begin()
	if err != nil {
		return err
	}
	return r.finish(location, digest, body, size)
}

// patchBlob sends a blob in chunks with their Content-Range, then closes it with an empty PUT.
func (r *Registry) patchBlob(digest string, body io.Reader, size, chunk int64) error {
	location, err := r.begin()
	if err != nil {
		return err
	}
	for at := int64(0); at < size; at += chunk {
		length := min(chunk, size-at)
		header := map[string]string{"Content-Type": "application/octet-stream", "Content-Range": fmt.Sprintf("%d-%d", at, at+length-1)}
		answer, _, err := r.do("PATCH", location.String(), io.LimitReader(body, length), length, header, http.StatusAccepted)
		if err != nil {
			return err
		}
		if location, err = answer.Location(); err != nil {
			return err
		}
	}
	return r.finish(location, digest, nil, 0)
}

func (r *Registry) putManifest(reference string, manifest []byte) error {
	header := map[string]string{"Content-Type": manifestType}
	_, _, err := r.do("PUT", "/v2/"+r.repo+"/manifests/"+reference, bytes.NewReader(manifest), int64(len(manifest)), header, http.StatusCreated)
	return err
}

// putArtifact pushes one layer, one config and the manifest that binds them, under a tag.
func (r *Registry) putArtifact(tag string, layer, config []byte) (Entry, error) {
	for _, blob := range [][]byte{layer, config} {
		if err := r.putBlob(digestOf(blob), bytes.NewReader(blob), int64(len(blob))); err != nil {
			return Entry{}, err
		}
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": Descriptor{"application/vnd.oci.image.config.v1+json", digestOf(config), int64(len(config))},
		"layers": []Descriptor{{"application/octet-stream", digestOf(layer), int64(len(layer))}},
	})
	if err != nil {
		return Entry{}, err
	}
	return Entry{tag, digestOf(manifest), digestOf(layer)}, r.putManifest(tag, manifest)
}
