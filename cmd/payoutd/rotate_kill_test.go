package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"payout/gateway"
	"payout/storage"
	"payout/vault"
)

const (
	rotationKills   = 20
	rotationClients = 2
	rotationPace    = 50 * time.Millisecond // between payouts of a client
	rotationWait    = 600 * time.Millisecond
)

// The rule: payoutd vault rotate is killed with SIGKILL at random moments and
// run again, while the gateway pays. Every order can be opened afterwards,
// nothing is left under an old key, and the old key is gone. The gateway logs
// no error meanwhile: serveLog looks.
func TestKilledRotationLosesNothing(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = mathrand.Uint64()
	}
	t.Logf("replay the choices with -kill-seed %d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), killWithin)
	defer cancel()
	tr := newTrial(ctx, t, seed)
	tr.flags = []string{"--reload-every", "50ms"}
	tr.start(ctx)
	old := tr.masterKey().Primary()

	var clients sync.WaitGroup
	enough := make(chan struct{})
	for client := range rotationClients {
		clients.Go(func() { tr.payUntil(ctx, enough, client) })
	}
	tr.wait(ctx, "first orders", func() bool { return len(tr.orders) >= 100 })
	ends := 0
	for kills := 0; kills < rotationKills && !t.Failed(); {
		if tr.rotateAndKill(ctx) {
			ends++
		} else {
			kills++
		}
	}
	out, err := tr.rotate(ctx).CombinedOutput()
	close(enough)
	clients.Wait()
	if err != nil {
		t.Fatalf("the last rotation: %v\n%s", err, out)
	}
	t.Logf("%d rotations were killed, %d came to their end before; %d orders\n%s", rotationKills, ends, len(tr.orders), out)
	tr.wait(ctx, "callbacks of all orders", func() bool { return len(tr.statuses) >= len(tr.orders) })
	tr.terminate()
	tr.checkSealed(ctx, old)
}

func (tr *trial) masterKey() *vault.KeySet {
	tr.t.Helper()
	v, err := vault.Open(tr.site.keyFile())
	check(tr.t, err)
	return v.KeySet()
}

// payUntil pays again and again, until it is enough.
func (tr *trial) payUntil(ctx context.Context, enough <-chan struct{}, client int) {
	pace := time.NewTicker(rotationPace)
	defer pace.Stop()
	for n := 0; ; n++ {
		select {
		case <-enough:
			return
		case <-ctx.Done():
			return
		case <-pace.C:
		}
		id := fmt.Sprintf("rotate-%d-%d", client, n)
		tr.mu.Lock()
		tr.asked[id] = asked{account: fmt.Sprintf("777%d%06d", client, n), amount: "1.00"}
		tr.mu.Unlock()
		tr.payUntilAnswered(ctx, id)
	}
}

func (tr *trial) rotate(ctx context.Context) *exec.Cmd {
	rotation := exec.CommandContext(ctx, tr.program, "vault", "rotate", "--wait", rotationWait.String(), "--at-once", "20",
		"--database", tr.site.database(), "--key-file", tr.site.keyFile())
	rotation.Env = []string{"HOME=" + tr.site.dir}
	return rotation
}

// rotateAndKill kills a rotation at a random moment after a random one of its
// lines; it reports whether the rotation was faster.
func (tr *trial) rotateAndKill(ctx context.Context) (ended bool) {
	tr.t.Helper()
	rotation := tr.rotate(ctx)
	var said strings.Builder
	rotation.Stderr = &said
	lines, err := rotation.StdoutPipe()
	check(tr.t, errors.Join(err, rotation.Start()))
	scanner := bufio.NewScanner(lines)
	for range tr.random.IntN(5) {
		scanner.Scan()
	}
	soon := time.AfterFunc(time.Duration(tr.random.IntN(150))*time.Millisecond, func() { _ = rotation.Process.Kill() })
	defer soon.Stop()
	for scanner.Scan() {
	}
	err = rotation.Wait()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		tr.t.Errorf("the rotation ended with %v: %s", err, said.String())
	}
	return err == nil
}

// checkSealed reads everything with the key file as it is now.
func (tr *trial) checkSealed(ctx context.Context, old vault.KeyID) {
	tr.t.Helper()
	tr.site.with(func(db *storage.DB, v *vault.Vault) error {
		keys := v.KeySet().Keys()
		if len(keys) != 1 || keys[0].ID == old {
			tr.t.Errorf("the key file has the keys %v; the old one was %s", keys, old)
		}
		counts, err := gateway.CountSealed(ctx, db)
		check(tr.t, err)
		if len(counts) != 1 || counts[keys[0].ID] < int64(2*len(tr.orders)) {
			tr.t.Errorf("sealed are %v by key, want all under %s", counts, keys[0].ID)
		}
		orders, err := db.LatestOrders(ctx, "", 2*len(tr.orders))
		check(tr.t, err)
		if len(orders) != len(tr.orders) {
			tr.t.Errorf("%d orders are stored, %d were acknowledged", len(orders), len(tr.orders))
		}
		for _, o := range orders {
			if o.Params["account_number"] != tr.asked[o.ClientOrderID].account || tr.orders[o.ClientOrderID] != o.ID {
				tr.t.Errorf("order %s of %s is not what was asked", o.ID, o.ClientOrderID)
			}
		}
		return nil
	})
}
