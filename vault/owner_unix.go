//go:build unix

package vault

import (
	"io/fs"
	"os"
	"syscall"
)

// KeepOwner gives a file the owner of another one: root may make files for
// a gateway that runs as somebody else.
func KeepOwner(file *os.File, other fs.FileInfo) error {
	owner, ok := other.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}
