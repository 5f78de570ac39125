//go:build linux

package server_test

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"payout"
	"payout/server"
	"payout/sign"
	"payout/storage"
	"payout/storage/storagetest"
)

// tell sends a payout and returns how it was answered: HTTP status and Retry-After.
func (h *house) tell(id string) (status int, retryAfter string) {
	form := payoutForm(id, "1234567890")
	header, err := sign.Sign(sign.Request{Method: http.MethodPost, URL: h.base + "/api/v4/payout/39915", Form: form},
		sign.Credentials{ConsumerKey: login, Nonce: rand.Text(), Timestamp: time.Now().Unix()}, testKey())
	if err != nil {
		h.t.Error(err)
		return 0, ""
	}
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.base+"/api/v4/payout/39915", strings.NewReader(sign.EncodeForm(form)))
	if err != nil {
		h.t.Error(err)
		return 0, ""
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", header)
	response, err := h.client.Do(r)
	if err != nil {
		h.t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Retry-After")
}

// sickened waits until /readyz says that the database takes no writes, and sees to
// it that the log says so once, however often it is asked.
func (h *house) sickened() {
	h.t.Helper()
	for range 3 {
		eventually(h.t, within, "/readyz says that the database takes no writes", func() bool {
			status, body := h.get("http://" + h.addr.API + "/readyz")
			return status == http.StatusServiceUnavailable && strings.Contains(body, "the database takes no writes")
		})
	}
	if n := strings.Count(h.log.String(), `"msg":"the database takes no writes`); n != 1 {
		h.t.Errorf("the log says it %d times", n)
	}
	if status, _ := h.get("http://" + h.addr.API + "/healthz"); status != http.StatusOK {
		h.t.Errorf("/healthz answers %d: a restart would not help", status)
	}
}

// healed waits until the server takes requests again.
func (h *house) healed() {
	h.t.Helper()
	eventually(h.t, within, "/readyz says that it is ready", func() bool {
		status, _ := h.get("http://" + h.addr.API + "/readyz")
		return status == http.StatusOK
	})
	if n := strings.Count(h.log.String(), `"msg":"the database takes writes again"`); n != 1 {
		h.t.Errorf("the log says %d times that it takes writes again", n)
	}
}

// paidOnce sees to it that what was acknowledged ends as one order, whatever came
// of it before.
func (h *house) paidOnce(c server.Config, ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		if status, _ := h.tell(id); status != http.StatusOK {
			h.t.Errorf("%s is answered %d after the recovery", id, status)
		}
		eventually(h.t, within, id+" is paid", func() bool { return h.status(id).Get("status") == "approved" })
	}
	open(h.t, c, func(db *storage.DB) {
		for _, id := range ids {
			orders, err := db.OrdersByClientID(h.t.Context(), 1, id, 10)
			check(h.t, err)
			if len(orders) != 1 || orders[0].Stage != payout.Approved {
				h.t.Errorf("%s has %d orders", id, len(orders))
			}
		}
	})
}

// many sends payouts, each when the one before has been answered or is held by a commit
// that hangs; then it lets that go on. It returns how each was answered.
func (h *house) many(ids []string, release func()) (answers map[string]int) {
	h.t.Helper()
	const held = time.Second // five times as long as a request waits for its commit to begin
	answers = make(map[string]int)
	var (
		asking sync.WaitGroup
		mu     sync.Mutex
		away   int
	)
	for _, id := range ids {
		answered := make(chan struct{})
		asking.Go(func() {
			defer close(answered)
			status, retryAfter := h.tell(id)
			mu.Lock()
			defer mu.Unlock()
			if answers[id] = status; status == http.StatusServiceUnavailable {
				away++
				if retryAfter == "" {
					h.t.Errorf("%s is sent away without Retry-After", id)
				}
			}
		})
		bound := time.NewTimer(held)
		select {
		case <-answered:
		case <-bound.C:
		}
		bound.Stop()
	}
	mu.Lock()
	if away == 0 {
		h.t.Error("nobody was sent away while the database hung")
	}
	mu.Unlock()
	release()
	asking.Wait()
	return answers
}

// A database that somebody else holds: requests that wait too long for it are sent
// away with 503, and are surely not stored; who was in the commit gets its end.
func TestRequestsThatWaitTooLongAreSentAwayAndNotStored(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	c.QueueWait = 200 * time.Millisecond
	h := start(t, c)
	// On a busy machine a healthy disk takes longer than that, too.
	eventually(t, within, "a healthy server takes an order", func() bool {
		status, _ := h.tell("before")
		return status == http.StatusOK
	})
	held, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		open(t, c, func(db *storage.DB) {
			_ = db.Transact(t.Context(), time.Now(), func(*storage.Tx) error {
				close(held)
				<-release
				return errors.New("nothing is changed")
			})
		})
	}()
	<-held
	ids := []string{"a", "b", "c", "d", "e", "f"}
	answers := h.many(ids, func() {
		h.sickened()
		close(release)
	})
	<-ended
	for id, status := range answers {
		if status == http.StatusServiceUnavailable {
			if got := h.status(id).Get("type"); got == "status-response" {
				t.Errorf("%s was sent away and is stored", id)
			}
		} else if status != http.StatusOK {
			t.Errorf("%s was answered %d", id, status)
		}
	}
	h.healed()
	h.paidOnce(c, append(ids, "before")...)
}

// On a full disk nothing is accepted; when there is room again, it goes on.
func TestFullDiskIsToldAndRecoveredFrom(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no small disk can be mounted: %v", err)
	}
	t.Cleanup(func() { check(t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	c := newConfig(t)
	c.Database = filepath.Join(disk, "payoutd.db")
	setUp(t, c)
	h := start(t, c)
	h.pay("before", "1234567890")
	eventually(t, within, "it is paid", func() bool { return h.status("before").Get("status") == "approved" })
	filler, err := os.Create(filepath.Join(disk, "filler"))
	check(t, err)
	for block := make([]byte, 1024); err == nil; {
		_, err = filler.Write(block)
	}
	check(t, filler.Close())
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	h.sickened()
	refused := 0
	for i := range 20 {
		switch status, retryAfter := h.tell(fmt.Sprint("full-", i)); {
		case status == http.StatusServiceUnavailable && retryAfter != "":
			refused++
		case status != http.StatusOK: // what fits into the log's old room is stored
			t.Errorf("answered %d, Retry-After %q: it is certain that nothing is stored", status, retryAfter)
		}
	}
	if refused == 0 {
		t.Error("a full disk takes everything")
	}
	check(t, os.Remove(filler.Name()))
	h.healed()
	h.paidOnce(c, "before", "full-0", "full-19")
}

// setImmutable makes the files of a database unwritable, or writable again, for root
// too and through files that are open already; it reports whether it can.
func setImmutable(database string, immutable bool) bool {
	const getFlags, setFlags, immutableFlag = 0x80086601, 0x40086602, 0x10 // FS_IOC_GETFLAGS ..., of 64-bit machines
	for _, suffix := range []string{"", "-wal"} {
		file, err := os.Open(database + suffix)
		if err != nil {
			return false
		}
		var flags uint32
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), getFlags, uintptr(unsafe.Pointer(&flags)))
		if flags |= immutableFlag; !immutable {
			flags &^= immutableFlag
		}
		if errno == 0 {
			_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), setFlags, uintptr(unsafe.Pointer(&flags)))
		}
		file.Close()
		if errno != 0 {
			return false
		}
	}
	return true
}

// A disk that takes no writes, or does not say that they have arrived: nothing is
// accepted, /readyz and the log say so, and when it is well it goes on by itself.
// Nobody is told meanwhile that there is no such order: it may be there after a crash.
func TestSickDiskIsToldAndRecoveredFrom(t *testing.T) {
	t.Parallel()
	failing := func(sync bool, result int32) func(*testing.T, *storagetest.Disk, bool) {
		return func(_ *testing.T, disk *storagetest.Disk, sick bool) {
			if disk.Fail(nil); sick {
				disk.Fail(func(c storagetest.DiskCall) int32 {
					if c.Sync == sync {
						return result
					}
					return storagetest.DiskFine
				})
			}
		}
	}
	for name, sicken := range map[string]func(*testing.T, *storagetest.Disk, bool){
		"fsync fails": failing(true, storagetest.DiskUnsynced),
		"read-only":   failing(false, storagetest.DiskReadOnly),
		"files that have been made read-only": func(t *testing.T, disk *storagetest.Disk, sick bool) {
			if !setImmutable(disk.Database(), sick) {
				t.Skip("files cannot be made immutable here")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, disk := newConfig(t), storagetest.NewDisk(t)
			c.Database = disk.Database()
			setUp(t, c)
			h := start(t, c)
			h.pay("before", "1234567890")
			eventually(t, within, "it is paid", func() bool { return h.status("before").Get("status") == "approved" })
			t.Cleanup(func() { sicken(t, disk, false) })
			sicken(t, disk, true)
			if status, _ := h.tell("first"); status != http.StatusInternalServerError && status != http.StatusServiceUnavailable {
				t.Errorf("the first one is answered %d", status)
			}
			h.sickened()
			for i := range 5 {
				if status, retryAfter := h.tell(fmt.Sprint("sick-", i)); status != http.StatusServiceUnavailable || retryAfter == "" {
					t.Errorf("answered %d, Retry-After %q", status, retryAfter)
				}
			}
			sum := sha1.Sum([]byte(login + "first" + controlKey))
			if status, reply := h.post("/api/v2/status/39915", "", testKey(), sign.Pair{Name: "login", Value: login},
				sign.Pair{Name: "client_orderid", Value: "first"}, sign.Pair{Name: "control", Value: hex.EncodeToString(sum[:])}); status != http.StatusServiceUnavailable {
				t.Errorf("who asks for the order that may be stored is answered %d %v", status, reply)
			}
			if !strings.Contains(h.log.String(), "disk I/O error") {
				t.Error("the log does not say what is wrong")
			}
			sicken(t, disk, false)
			h.healed()
			h.paidOnce(c, "before", "first", "sick-0", "sick-4")
		})
	}
}

// A disk that does not take what another process has left is a reason not to start.
func TestSickDiskAtTheStartIsAClearWord(t *testing.T) {
	t.Parallel()
	c, disk := newConfig(t), storagetest.NewDisk(t)
	c.Database = disk.Database()
	setUp(t, c)
	open(t, c, func(db *storage.DB) {
		check(t, db.Writable(t.Context())) // it has left something in the log
		disk.Fail(func(c storagetest.DiskCall) int32 {
			if c.Sync {
				return storagetest.DiskUnsynced
			}
			return storagetest.DiskFine
		})
		defer disk.Fail(nil)
		ctx, stop := context.WithCancel(t.Context())
		err := server.Run(ctx, c, slog.New(slog.NewJSONHandler(new(log), nil)), func(server.Addresses) { stop() })
		stop()
		if err == nil || !strings.Contains(err.Error(), "put the log into the database: disk I/O error") {
			t.Errorf("Run: %v", err)
		}
	})
}

// A hangingProxy stands between the server and PostgreSQL, and can stop passing
// anything on.
type hangingProxy struct {
	gate sync.RWMutex // locked while nothing passes
}

// startHangingProxy returns a database URL that leads through the proxy.
func startHangingProxy(t *testing.T, database string) (*hangingProxy, string) {
	t.Helper()
	u, err := url.Parse(database)
	check(t, err)
	query := u.Query()
	target := query.Get("host")
	if !filepath.IsAbs(target) {
		t.Skip("PostgreSQL is not on a unix socket")
	}
	dir, err := os.MkdirTemp("", "proxy") // short: the socket's path has a limit
	check(t, err)
	t.Cleanup(func() { check(t, os.RemoveAll(dir)) })
	const socket = ".s.PGSQL.5432"
	listener, err := net.Listen("unix", filepath.Join(dir, socket))
	check(t, err)
	p := new(hangingProxy)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			backend, err := net.Dial("unix", filepath.Join(target, socket))
			if err != nil {
				client.Close()
				continue
			}
			serving.Go(func() { p.pass(backend, client) })
			serving.Go(func() { p.pass(client, backend) })
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	query.Set("host", dir)
	u.RawQuery = query.Encode()
	return p, u.String()
}

func (p *hangingProxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.gate.RLock()
		_, err = to.Write(buffer[:n])
		p.gate.RUnlock()
		if err != nil {
			return
		}
	}
}

// scrapeMost is how long Prometheus waits for metrics, unless it is told otherwise.
const scrapeMost = 10 * time.Second

// tellsMetricsInTime sees to it that metrics are told while the database hangs, again and
// again: that it does is one of them.
func (h *house) tellsMetricsInTime() {
	h.t.Helper()
	for range 2 {
		began := time.Now()
		if n, ok := h.scrape(make(map[string]string))["payoutd_database_writable"]; !ok || n != 0 {
			h.t.Errorf("payoutd_database_writable is %g, %t", n, ok)
		}
		if took := time.Since(began); took > scrapeMost {
			h.t.Errorf("the metrics were told after %s", took)
		}
	}
}

// A PostgreSQL that hangs takes no requests with it: they are sent away, and all
// goes on when it answers again.
func TestHangingPostgresIsToldAndRecoveredFrom(t *testing.T) {
	t.Parallel()
	c := newConfig(t)
	direct := c
	direct.Database = storagetest.Postgres(t)
	setUp(t, direct)
	proxy, through := startHangingProxy(t, direct.Database)
	c.Database, c.QueueWait, c.MetricsListen = through, 200*time.Millisecond, "127.0.0.1:0"
	h := start(t, c)
	if status, _ := h.tell("before"); status != http.StatusOK {
		t.Fatalf("a healthy server answers %d", status)
	}
	eventually(t, within, "it is paid", func() bool { return h.status("before").Get("status") == "approved" })
	proxy.gate.Lock()
	ids := []string{"a", "b", "c", "d", "e", "f"}
	answers := h.many(ids, func() {
		h.sickened()
		h.tellsMetricsInTime()
		proxy.gate.Unlock()
	})
	for id, status := range answers {
		if status != http.StatusOK && status != http.StatusServiceUnavailable && status != http.StatusInternalServerError {
			t.Errorf("%s was answered %d", id, status)
		}
	}
	h.healed()
	h.paidOnce(direct, append(ids, "before")...)
}
