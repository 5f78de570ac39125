package storagetest

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// A Disk is a folder whose SQLite files can be made to fail: it stands between
// SQLite and the operating system, where SQLite's own tests have their faults. What
// SQLite makes of a fault is therefore real.
type Disk struct {
	dir   string
	fault atomic.Pointer[func(DiskCall) int32]
}

// A DiskCall is something that SQLite asks of a disk.
type DiskCall struct {
	File string // such as payoutd.db-wal
	Sync bool   // an fsync; else a write
	Size int    // bytes of a write
}

// InLog reports whether the call is for a database's log, as every commit is.
func (c DiskCall) InLog() bool { return strings.HasSuffix(c.File, "-wal") }

// The results of calls: SQLite's codes for what the operating system said.
const (
	DiskFine     int32 = sqlite3.SQLITE_OK
	DiskFull     int32 = sqlite3.SQLITE_FULL        // ENOSPC at a write
	DiskReadOnly int32 = sqlite3.SQLITE_IOERR_WRITE // EROFS, EIO and all else at a write
	DiskUnsynced int32 = sqlite3.SQLITE_IOERR_FSYNC
)

// NewDisk makes a disk, which is healthy.
func NewDisk(t testing.TB) *Disk {
	t.Helper()
	install(t)
	d := &Disk{dir: t.TempDir()}
	disks.Store(d, nil)
	t.Cleanup(func() { disks.Delete(d) })
	return d
}

// Database names a file for a database on the disk.
func (d *Disk) Database() string { return filepath.Join(d.dir, "payoutd.db") }

// Fail has a function decide about every call: DiskFine lets it through, another
// result is its end. The function may wait: then the disk hangs. Nil heals the disk.
// It runs on several goroutines.
func (d *Disk) Fail(fault func(DiskCall) int32) {
	if fault == nil {
		d.fault.Store(nil)
		return
	}
	d.fault.Store(&fault)
}

func (d *Disk) verdict(c DiskCall) int32 {
	if fault := d.fault.Load(); fault != nil {
		return (*fault)(c)
	}
	return DiskFine
}

var (
	disks   sync.Map // *Disk to nil: those in use
	onDisks sync.Map // uintptr of an open file to onDisk
)

// An onDisk is an open file of a disk.
type onDisk struct {
	disk    *Disk
	name    string
	methods *sqlite3.Tsqlite3_io_methods // those of the operating system
}

// system is SQLite's way to the operating system, and ours is a copy of it that
// opens files otherwise. SQLite keeps it for the life of the process.
var (
	installed sync.Once
	system    *sqlite3.Tsqlite3_vfs
)

// install makes our way the usual one. Files that are on no disk go as before.
func install(t testing.TB) {
	t.Helper()
	installed.Do(func() {
		db, err := sql.Open("sqlite", ":memory:") // the driver sets SQLite up
		if err == nil {
			err = db.Ping()
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		tls := libc.NewTLS()
		defer tls.Close()
		system = at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
		where := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(*system)))
		ours := at[sqlite3.Tsqlite3_vfs](where)
		*ours = *system
		name, err := libc.CString("payoutd-test")
		if err != nil {
			t.Fatal(err)
		}
		ours.FzName, ours.FxOpen = name, address(openFile)
		if rc := sqlite3.Xsqlite3_vfs_register(tls, where, 1); rc != sqlite3.SQLITE_OK {
			t.Fatalf("SQLite does not take the disk: %d", rc)
		}
	})
}

func openFile(tls *libc.TLS, vfs, name, file uintptr, flags int32, flagsOut uintptr) int32 {
	rc := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](system.FxOpen)(tls, vfs, name, file, flags, flagsOut)
	if rc != sqlite3.SQLITE_OK || name == 0 {
		return rc
	}
	path := libc.GoString(name)
	disks.Range(func(key, _ any) bool {
		d := key.(*Disk)
		if filepath.Dir(path) != d.dir {
			return true
		}
		handle := at[sqlite3.Tsqlite3_file](file)
		methods := at[sqlite3.Tsqlite3_io_methods](handle.FpMethods)
		where := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(*methods)))
		ours := at[sqlite3.Tsqlite3_io_methods](where)
		*ours = *methods
		ours.FxClose, ours.FxWrite, ours.FxSync = address(closeFile), address(writeFile), address(syncFile)
		onDisks.Store(file, onDisk{d, filepath.Base(path), methods})
		handle.FpMethods = where
		return false
	})
	return rc
}

func closeFile(tls *libc.TLS, file uintptr) int32 {
	found, _ := onDisks.LoadAndDelete(file)
	libc.Xfree(tls, at[sqlite3.Tsqlite3_file](file).FpMethods)
	return function[func(*libc.TLS, uintptr) int32](found.(onDisk).methods.FxClose)(tls, file)
}

func writeFile(tls *libc.TLS, file, data uintptr, size int32, offset int64) int32 {
	found, _ := onDisks.Load(file)
	f := found.(onDisk)
	if rc := f.disk.verdict(DiskCall{File: f.name, Size: int(size)}); rc != DiskFine {
		return rc
	}
	return function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.methods.FxWrite)(tls, file, data, size, offset)
}

func syncFile(tls *libc.TLS, file uintptr, flags int32) int32 {
	found, _ := onDisks.Load(file)
	f := found.(onDisk)
	if rc := f.disk.verdict(DiskCall{File: f.name, Sync: true}); rc != DiskFine {
		return rc
	}
	return function[func(*libc.TLS, uintptr, int32) int32](f.methods.FxSync)(tls, file, flags)
}

// SQLite has been translated from C: its structs are outside Go's memory, and its
// pointers are numbers.

// at is what stands at an address.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// address is where a function of the program is, for SQLite to call.
func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// function is the function at an address.
func function[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) }
