package storage

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"payout"
)

// A GatePart is what a node may do at a gate that others work at too.
type GatePart struct {
	Gate        payout.GateID
	Concurrency int // calls to its rail at once, of all nodes together
	UnderWay    int // calls of this node
	Keeps       int // calls that it may begin meanwhile, by the part that it has: at least UnderWay

	// What the database answers.
	Calls       int // that this node may have under way: at least Keeps, unless it was taken for gone
	Nodes, Rank int // how many share the gate, and which of them this one is, from 0

	// The gate's rest: what this node has to say of it, if anything, and then what was
	// said last, by whichever node.
	Rest  GateRest
	Tells bool
}

// A GateRest is how a gate rests whose rail does not answer.
type GateRest struct {
	Rests   int           // in a row; 0: the rail answers
	Left    time.Duration // of the last one; clocks of nodes may differ
	Version int64         // counts what was said; 0: nothing yet
}

// ShareGates tells the other nodes that a node works at gates for as long as life from
// now on, and what it may do there. The calls of all nodes together stay within each
// gate's concurrency: a node gets an even part, as far as the others have given up
// theirs. One that has not been heard of for its life, or that leaves a gate out, has
// nothing left there; what it still does comes on top. On SQLite, which one process has
// for itself, there is no limit but the gate's.
func (db *DB) ShareGates(ctx context.Context, node int64, life time.Duration, parts []*GatePart) error {
	if err := db.engine.shareGates(ctx, node, life, parts); err != nil {
		return fmt.Errorf("share gates: %w", err)
	}
	return nil
}

// LeaveGates gives a node's parts of all gates to the others.
func (db *DB) LeaveGates(ctx context.Context, node int64) error {
	if err := db.engine.leaveGates(ctx, node); err != nil {
		return fmt.Errorf("leave gates: %w", err)
	}
	return nil
}

// EvenPart is what one of several nodes has of a number that they share: the first
// ones have one more when it is not even. rank is from 0.
func EvenPart(number, nodes, rank int) int {
	part := number / nodes
	if rank < number%nodes {
		part++
	}
	return part
}

func (e *sqliteEngine) shareGates(_ context.Context, _ int64, _ time.Duration, parts []*GatePart) error {
	for _, p := range parts {
		p.Calls, p.Nodes, p.Rank = math.MaxInt, 1, 0
	}
	return nil
}

func (e *sqliteEngine) leaveGates(context.Context, int64) error { return nil }

// gateSharesLock is the number of the advisory lock under which parts are given.
const gateSharesLock = rotationLock + 2

// The statements of shareGates. The clock is the server's: those of nodes may differ.
// After a failover to a server whose clock is behind, what seems to live for long is gone too.
const (
	dropShares = "DELETE FROM gate_shares WHERE expires_us <= " + serverNow + " OR expires_us > " + serverNow + ` + 2 * CAST($2 AS BIGINT)
		OR node = $1 AND gate_id <> ALL ($3::bigint[])`

	// Who has no row any more was taken for gone: its part may be the others' now.
	takeShares = `INSERT INTO gate_shares (gate_id, node, calls, expires_us)
		SELECT mine.gate_id, $1, greatest(CASE WHEN had.node IS NULL THEN mine.under_way ELSE mine.keeps END, least(
				mine.concurrency / (coalesce(others.nodes, 0) + 1) + CASE WHEN coalesce(others.before, 0) < mine.concurrency % (coalesce(others.nodes, 0) + 1) THEN 1 ELSE 0 END,
				mine.concurrency - coalesce(others.calls, 0))), ` + serverNow + ` + $2
		FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS mine (gate_id, concurrency, under_way, keeps)
		LEFT JOIN gate_shares AS had ON had.gate_id = mine.gate_id AND had.node = $1
		LEFT JOIN (SELECT gate_id, count(*) AS nodes, count(*) FILTER (WHERE node < $1) AS before, CAST(sum(calls) AS BIGINT) AS calls
			FROM gate_shares WHERE node <> $1 GROUP BY gate_id) AS others ON others.gate_id = mine.gate_id
		ON CONFLICT (gate_id, node) DO UPDATE SET calls = excluded.calls, expires_us = excluded.expires_us`

	readShares = `SELECT mine.gate_id, mine.calls, count(*), count(*) FILTER (WHERE one.node < $1)
		FROM gate_shares AS mine JOIN gate_shares AS one ON one.gate_id = mine.gate_id WHERE mine.node = $1 GROUP BY mine.gate_id, mine.calls`

	tellRests = `INSERT INTO gate_rests (gate_id, rests, until_us, version)
		SELECT gate_id, rests, ` + serverNow + ` + left_us, 1 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS mine (gate_id, rests, left_us)
		ON CONFLICT (gate_id) DO UPDATE SET rests = excluded.rests, until_us = excluded.until_us, version = gate_rests.version + 1`

	readRests = "SELECT gate_id, rests, until_us - " + serverNow + ", version FROM gate_rests WHERE gate_id = ANY ($1)"
)

// shareGates sends all statements at once: they are one transaction, and a node that
// is stopped in the middle does not keep the others from the lock.
func (e *postgresEngine) shareGates(ctx context.Context, node int64, life time.Duration, parts []*GatePart) error {
	var concurrencies, underWay, keeps, tellers, rests, lefts []int64
	gates := []int64{} // not NULL
	byGate := make(map[int64]*GatePart, len(parts))
	for _, p := range parts {
		byGate[int64(p.Gate)] = p
		gates, concurrencies = append(gates, int64(p.Gate)), append(concurrencies, int64(p.Concurrency))
		underWay, keeps = append(underWay, int64(p.UnderWay)), append(keeps, int64(p.Keeps))
		if p.Tells {
			tellers, rests, lefts = append(tellers, int64(p.Gate)), append(rests, int64(p.Rest.Rests)), append(lefts, p.Rest.Left.Microseconds())
		}
	}
	batch := new(pgx.Batch)
	batch.Queue("SELECT set_config('synchronous_commit', 'off', true)") // all nodes wait for the lock, and nothing of it is worth keeping
	batch.Queue("SELECT pg_advisory_xact_lock($1)", int64(gateSharesLock))
	batch.Queue(dropShares, node, life.Microseconds(), gates)
	batch.Queue(takeShares, node, life.Microseconds(), gates, concurrencies, underWay, keeps)
	batch.Queue(tellRests, tellers, rests, lefts)
	batch.Queue(readShares, node).Query(func(found pgx.Rows) error {
		var gate, calls, nodes, rank int64
		_, err := pgx.ForEachRow(found, []any{&gate, &calls, &nodes, &rank}, func() error {
			p := byGate[gate]
			p.Calls, p.Nodes, p.Rank = int(calls), int(nodes), int(rank)
			return nil
		})
		return err
	})
	batch.Queue(readRests, gates).Query(func(found pgx.Rows) error {
		var gate, rests, left, version int64
		_, err := pgx.ForEachRow(found, []any{&gate, &rests, &left, &version}, func() error {
			byGate[gate].Rest = GateRest{int(rests), time.Duration(left) * time.Microsecond, version}
			return nil
		})
		return err
	})
	return unread(e.pool.SendBatch(ctx, batch).Close())
}

func (e *postgresEngine) leaveGates(ctx context.Context, node int64) error {
	_, err := e.pool.Exec(ctx, "DELETE FROM gate_shares WHERE node = $1", node)
	return unread(err)
}
