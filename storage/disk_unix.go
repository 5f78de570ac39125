//go:build linux || darwin

package storage

import "syscall"

// freeOnDisk tells how many bytes the disk of a file has left for us.
func freeOnDisk(path string) (bytes uint64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
