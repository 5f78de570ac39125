//go:build !linux && !darwin

package storage

import "net"

// quiet does not know.
func quiet(net.Conn) bool { return true }
