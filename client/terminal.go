package client

import "strconv"

// A Terminal is what a command is sent to: an endpoint, or a group of endpoints
// of which the gateway picks one by the currency. Endpoint and Group make it.
type Terminal struct {
	id    int64
	group bool
}

// Endpoint is the endpoint of this number.
func Endpoint(id int64) Terminal { return Terminal{id: id} }

// Group is the endpoint group of this number.
func Group(id int64) Terminal { return Terminal{id: id, group: true} }

// String is the terminal as the end of a path: 39915, or group/77.
func (t Terminal) String() string {
	if t.group {
		return "group/" + strconv.FormatInt(t.id, 10)
	}
	return strconv.FormatInt(t.id, 10)
}
