//go:build unix

package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// A kind is what a fault does.
type kind string

// The kinds of faults. What is held is not lost: it arrives when the hold ends,
// or never, when it ends by a cut.
const (
	killNode    kind = "node killed"               // SIGKILL, and started again
	stopNode    kind = "node stopped"              // SIGSTOP for longer than its leases, then SIGCONT
	endNode     kind = "node ended"                // SIGTERM, and started again
	failover    kind = "primary killed, promotion" // SIGKILL of the primary, promotion of the standby, a new standby
	restart     kind = "primary restarted"         // SIGKILL of the primary, started again on the same files
	killStandby kind = "standby killed"            // commits wait until it is back
	loseStandby kind = "standby gone for long"     // for longer than a transaction may last: nothing is acknowledged meanwhile

	cutDatabase  kind = "database cut"          // connections of a node are reset, and new ones refused
	loseDatabase kind = "database answers lost" // what the node sends arrives, what it is answered does not; then a cut
	holdDatabase kind = "database held"         // nothing arrives; all of it does afterwards
	slowDatabase kind = "database slow"

	cutClients  kind = "clients cut"
	loseClients kind = "client answers lost"
	holdClients kind = "clients held"
	slowClients kind = "clients slow"
)

// A fault is one row of a plan.
type fault struct {
	pause time.Duration // after the fault before it in its stream
	lasts time.Duration // until it is healed, or what was killed is started again
	kind  kind
	slow  time.Duration // of what is slow: added to everything sent
}

// A stream is faults that are made one after the other; streams run at once.
type stream struct {
	name   string
	node   int // that its faults are for, or -1
	faults []fault
}

// A bounds is the least and the most of a time.
type bounds struct{ least, most time.Duration }

func (b bounds) pick(random *rand.Rand) time.Duration {
	return b.least + time.Duration(random.Int64N(int64(b.most-b.least)+1)).Round(time.Millisecond)
}

// lengths says how long each kind lasts. A stopped node must outlive its leases:
// leaseMost is the longer one.
var lengths = map[kind]bounds{
	killNode:     {0, 2 * time.Second},
	stopNode:     {leaseMost + time.Second, leaseMost + 4*time.Second},
	endNode:      {0, 500 * time.Millisecond},
	failover:     {0, 500 * time.Millisecond}, // until somebody notices
	restart:      {0, 2 * time.Second},
	killStandby:  {500 * time.Millisecond, 4 * time.Second},
	loseStandby:  {30 * time.Second, 35 * time.Second},
	cutDatabase:  {200 * time.Millisecond, 3 * time.Second},
	loseDatabase: {200 * time.Millisecond, 3 * time.Second},
	holdDatabase: {500 * time.Millisecond, 8 * time.Second},
	slowDatabase: {time.Second, 5 * time.Second},
	cutClients:   {200 * time.Millisecond, 2 * time.Second},
	loseClients:  {200 * time.Millisecond, 3 * time.Second},
	holdClients:  {500 * time.Millisecond, 8 * time.Second},
	slowClients:  {time.Second, 5 * time.Second},
}

// longHold is a hold that outlives the time limit of a transaction; one in
// longOneIn is, in long runs. There one of standbyOneIn standbys that are killed
// stays away for that long, too.
var longHold = bounds{21 * time.Second, 28 * time.Second}

const (
	longOneIn    = 12
	standbyOneIn = 3
)

// isLong reports whether a run is long enough for what outlives a transaction.
func isLong(duration time.Duration) bool { return duration >= 5*time.Minute }

// planOf makes the plan of a seed: the same for the same arguments. Each stream
// deals its kinds like cards, so that short runs see all of them.
func planOf(seed uint64, duration time.Duration, nodes int) []stream {
	all := []stream{{name: "database", node: -1, faults: deal(rand.New(rand.NewPCG(seed, 1)), duration, bounds{6 * time.Second, 18 * time.Second},
		0, failover, failover, failover, restart, killStandby)}}
	for n := range nodes {
		for i, s := range []struct {
			name  string
			pause bounds
			first int // kind of the first fault: not the same on all nodes
			kinds []kind
		}{
			{"node", bounds{3 * time.Second, 9 * time.Second}, 3 * (n % 2), []kind{killNode, killNode, killNode, stopNode, killNode, endNode}},
			{"database link", bounds{3 * time.Second, 12 * time.Second}, n, []kind{loseDatabase, cutDatabase, holdDatabase, slowDatabase}},
			{"client link", bounds{2 * time.Second, 9 * time.Second}, n, []kind{loseClients, cutClients, holdClients, slowClients}},
		} {
			random := rand.New(rand.NewPCG(seed, uint64(10+10*n+i)))
			all = append(all, stream{fmt.Sprintf("%s %d", s.name, n+1), n, deal(random, duration, s.pause, s.first, s.kinds...)})
		}
	}
	return all
}

// deal makes more faults than a stream can come to within the duration. The
// kind with the number first comes first.
func deal(random *rand.Rand, duration time.Duration, pause bounds, first int, kinds ...kind) []fault {
	var faults []fault
	for total := time.Duration(0); total < duration; {
		order := random.Perm(len(kinds))
		if len(faults) == 0 {
			for i, n := range order {
				if n == first%len(kinds) {
					order[0], order[i] = order[i], order[0]
				}
			}
		}
		for _, n := range order {
			f := fault{kind: kinds[n], pause: pause.pick(random), lasts: lengths[kinds[n]].pick(random),
				slow: time.Duration(20+random.IntN(280)) * time.Millisecond}
			if len(faults) == 0 {
				f.pause /= 3
			}
			switch n := random.IntN(longOneIn); {
			case !isLong(duration):
			case f.kind == holdDatabase && n == 0:
				f.lasts = longHold.pick(random)
			case f.kind == killStandby && n%standbyOneIn == 0:
				f.kind, f.lasts = loseStandby, lengths[loseStandby].pick(random)
			}
			faults = append(faults, f)
			total += f.pause + f.lasts
		}
	}
	return faults
}

// printPlan prints a plan, a line for each fault.
func printPlan(w io.Writer, plan []stream) {
	for _, s := range plan {
		for _, f := range s.faults {
			fmt.Fprintf(w, "%-16s after %-8s %-26s for %s\n", s.name, f.pause.Round(time.Millisecond), f.kind, f.lasts.Round(time.Millisecond))
		}
	}
}
