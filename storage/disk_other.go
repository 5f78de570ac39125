//go:build !linux && !darwin

package storage

// freeOnDisk does not know.
func freeOnDisk(string) (bytes uint64, ok bool) { return 0, false }
