package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed assets
var assetFiles embed.FS

// An asset is a static file, ready to be sent.
type asset struct {
	contentType   string
	plain, zipped []byte
}

// Assets are static files that never change while the program runs, served
// under a folder whose name changes with their content, so that browsers may
// keep them for ever.
type Assets struct {
	path   string
	byName map[string]asset
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// NewAssets reads the files of a folder and those of the kit that are named,
// such as site.css. A file of a kind that has no content type is an error.
func NewAssets(folder fs.FS, kit ...string) (*Assets, error) {
	contents, err := ReadAssets(folder, kit...)
	if err != nil {
		return nil, err
	}
	return AssetsOf(contents)
}

// ReadAssets reads what AssetsOf takes: the files of a folder by name, and those
// of the kit that are named.
func ReadAssets(folder fs.FS, kit ...string) (map[string][]byte, error) {
	own, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	contents := make(map[string][]byte)
	for _, file := range own {
		if contents[file.Name()], err = fs.ReadFile(folder, file.Name()); err != nil {
			return nil, fmt.Errorf("read assets: %w", err)
		}
	}
	for _, name := range kit {
		if contents[name], err = assetFiles.ReadFile("assets/" + name); err != nil {
			return nil, fmt.Errorf("read assets: %w", err)
		}
	}
	return contents, nil
}

// AssetsOf makes assets of contents by their names.
func AssetsOf(contents map[string][]byte) (*Assets, error) {
	hash := sha256.New()
	a := &Assets{byName: make(map[string]asset)}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		content, kind := contents[name], contentTypes[path.Ext(name)]
		if kind == "" {
			return nil, fmt.Errorf("read assets: %s has no content type", name)
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
		a.byName[name] = asset{kind, content, Gzip(content)}
	}
	a.path = "assets/" + hex.EncodeToString(hash.Sum(nil)[:8]) + "/"
	return a, nil
}

// kitAssets are the files of the kit itself. They are part of the program: that
// they cannot be read is a panic.
var kitAssets = sync.OnceValue(func() *Assets {
	folder, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err)
	}
	a, err := NewAssets(folder)
	if err != nil {
		panic(fmt.Sprintf("web: embedded assets: %v", err))
	}
	return a
})

// Gzip compresses a content that is sent often.
func Gzip(content []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	// A bytes.Buffer takes everything.
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

// AssetsPath returns the folder of the kit's own files.
func AssetsPath() string { return kitAssets().Path() }

// ServeAsset answers with a file of the kit.
func ServeAsset(w http.ResponseWriter, r *http.Request, name string) { kitAssets().Serve(w, r, name) }

// Path returns the folder that the files are served under, such as
// "assets/3f2a9c0d11223344/": a hash of their content stands in it.
func (a *Assets) Path() string { return a.path }

// Serve answers with the file of a name, such as page.css. The caller has
// matched Path before it.
func (a *Assets) Serve(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := a.byName[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	file.serve(w, r)
}

// ServeContent answers with a content that was made once, such as an index: it
// may be kept, and is asked for again by its ETag each time it is used.
func ServeContent(w http.ResponseWriter, r *http.Request, contentType string, plain, zipped []byte) {
	w.Header().Set("Cache-Control", "no-cache")
	asset{contentType, plain, zipped}.serve(w, r)
}

// ETag is the strong validator of a content (RFC 9110 section 8.8.3).
func ETag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// Unchanged reports whether the browser has this version already, and answers
// so (RFC 9110 section 13.1.2).
func Unchanged(w http.ResponseWriter, r *http.Request, etag string) bool {
	w.Header().Set("ETag", etag)
	for known := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == etag {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	return false
}

func (file asset) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Del("Cache-Control")
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	h, content, encoding := w.Header(), file.plain, ""
	h.Set("Vary", "Accept-Encoding")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if AcceptsGzip(r.Header.Get("Accept-Encoding")) {
		content, encoding = file.zipped, "gzip"
	}
	if Unchanged(w, r, ETag(content)) {
		return
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Type", file.contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // the browser has gone away
	}
}

// AcceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3) as far as needed:
// gzip is named, and not with the weight zero.
func AcceptsGzip(header string) bool {
	for item := range strings.SplitSeq(header, ",") {
		coding, weight, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q="), 64)
		return weight == "" || err != nil || q > 0
	}
	return false
}
