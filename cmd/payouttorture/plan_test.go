//go:build unix

package main

import (
	"bytes"
	"testing"
	"time"
)

func planText(seed uint64, duration time.Duration, nodes int) string {
	var text bytes.Buffer
	printPlan(&text, planOf(seed, duration, nodes))
	return text.String()
}

func TestPlanIsTheSeeds(t *testing.T) {
	first, again, other := planText(7, time.Minute, 3), planText(7, time.Minute, 3), planText(8, time.Minute, 3)
	if first != again {
		t.Error("the same seed has two plans")
	}
	if first == other {
		t.Error("two seeds have the same plan")
	}
}

// Each stream has more faults than it comes to, and each kind of a run's first
// half minute is what a short run must see.
func TestPlanFillsTheTimeAndBeginsWithWhatMatters(t *testing.T) {
	for seed := range uint64(200) {
		kinds := make(map[kind]bool)
		for _, s := range planOf(seed, 30*time.Second, 3) {
			total := time.Duration(0)
			for i, f := range s.faults {
				total += f.pause + f.lasts
				if within := lengths[f.kind]; f.lasts < within.least || f.lasts > within.most {
					t.Errorf("seed %d: %s lasts %s", seed, f.kind, f.lasts)
				}
				if i == 0 {
					kinds[f.kind] = true
				}
			}
			if total < 30*time.Second {
				t.Errorf("seed %d: %s ends after %s", seed, s.name, total)
			}
		}
		for _, k := range []kind{failover, killNode, stopNode, loseDatabase, cutDatabase, holdDatabase, loseClients, cutClients, holdClients} {
			if !kinds[k] {
				t.Errorf("seed %d: no stream begins with %s", seed, k)
			}
		}
	}
}

func TestStoppedNodeOutlivesItsLeases(t *testing.T) {
	if least := lengths[stopNode].least; least <= leaseMost {
		t.Errorf("a node is stopped for %s, and its leases last %s", least, leaseMost)
	}
}

// The time limit of a transaction is 20 seconds (transactionMost in storage).
func TestLongRunsHoldLongerThanATransactionMayLast(t *testing.T) {
	const transaction = 20 * time.Second
	if least := lengths[loseStandby].least; least <= transaction {
		t.Errorf("a standby is gone for %s", least)
	}
	for _, run := range []struct {
		duration time.Duration
		long     bool
	}{{30 * time.Minute, true}, {5*time.Minute - 1, false}} {
		long, gone := 0, 0
		for seed := range uint64(5) {
			for _, s := range planOf(seed, run.duration, 3) {
				for _, f := range s.faults {
					if f.kind == holdDatabase && f.lasts > transaction {
						long++
					}
					if f.kind == loseStandby {
						gone++
					}
				}
			}
		}
		if (long > 0) != run.long || (gone > 0) != run.long {
			t.Errorf("in runs of %s %d holds outlive a transaction, and a standby is gone %d times", run.duration, long, gone)
		}
	}
}
