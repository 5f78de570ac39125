package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
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

// assets are the static files by name, and the folder that they are served
// under: its name changes with their content, so that browsers may keep them
// for ever.
type assets struct {
	path   string
	byName map[string]asset
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// ourAssets reads the embedded files once. It panics if they cannot be read:
// they are part of the program.
var ourAssets = sync.OnceValue(func() assets {
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(fmt.Sprintf("web: embedded assets: %v", err))
	}
	hash := sha256.New()
	all := assets{byName: make(map[string]asset)}
	for _, file := range files { // sorted by name
		content, err := assetFiles.ReadFile(path.Join("assets", file.Name()))
		if err != nil {
			panic(fmt.Sprintf("web: embedded assets: %v", err))
		}
		fmt.Fprintf(hash, "%s %d\n%s", file.Name(), len(content), content)
		all.byName[file.Name()] = asset{contentTypes[path.Ext(file.Name())], content, zipped(content)}
	}
	all.path = "assets/" + hex.EncodeToString(hash.Sum(nil)[:8]) + "/"
	return all
})

func zipped(content []byte) []byte {
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

// AssetsPath returns the folder that style sheet and scripts are served under,
// such as "assets/3f2a9c0d11223344/": a hash of their content stands in it.
func AssetsPath() string { return ourAssets().path }

// ServeAsset answers with the static file of a name, such as page.css. The
// caller has matched AssetsPath before it.
func ServeAsset(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := ourAssets().byName[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	h, content := w.Header(), file.plain
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		content = file.zipped
	}
	h.Set("Content-Type", file.contentType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if r.Method == http.MethodGet {
		_, _ = w.Write(content) // the browser has gone away
	}
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3) as far as needed:
// gzip is named, and not with the weight zero.
func acceptsGzip(header string) bool {
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
