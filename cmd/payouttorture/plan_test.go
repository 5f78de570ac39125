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

func TestLongRunsHoldLongerThanATransactionMayLast(t *testing.T) {
	long := 0
	for _, s := range planOf(1, 30*time.Minute, 3) {
		for _, f := range s.faults {
			if f.kind == holdDatabase && f.lasts >= longHold.least {
				long++
			}
		}
	}
	if long == 0 {
		t.Error("no hold outlives a transaction")
	}
}
