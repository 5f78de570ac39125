// Package payout is the vocabulary of a payout gateway and the rules that hold
// for it: money, who asks, where an order stands and where it may go from
// there, and what is told to the Connecting Party.
//
// The package does no I/O. Everything else in the house imports it, so it is
// the place to start reading: stage.go has the life of an order as a table.
package payout
