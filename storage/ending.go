package storage

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A commit on PostgreSQL that waits for its synchronous standby is in the primary's log
// already, and nobody sees it. Who cancels it does not undo it: the server ends the wait,
// warns, says COMMIT, and shows everybody what a failover may take back. An order would
// be acknowledged and lost, or paid and paid again. So what was committed with a warning
// has no known end, and the gateway never cancels a commit that it has asked for. One that
// it gives up goes on at the server, and until it has ended none is begun beside it: they
// would take all of the server's sessions.

// An ending is what is known of the end of a connection's transactions.
type ending struct {
	inCommit atomic.Bool    // COMMIT was sent, and not answered
	warning  *pgconn.Notice // the last one of the server
}

// errUnreplicated says that the server has committed and has warned that it is not what
// it should be.
var errUnreplicated = errors.New("the server has warned while it committed")

// errNotCancelled is why a commit was not cancelled.
var errNotCancelled = errors.New("a commit that was asked for is not cancelled")

const endingKey = "payout ending" // in a connection's custom data

// watchEnding has a connection that is going to be made keep its ending. When the library
// gives up a connection, it dials the server once more to cancel what runs there.
func watchEnding(c *pgx.ConnConfig) {
	e, dial := new(ending), c.DialFunc
	c.AfterConnect = func(_ context.Context, p *pgconn.PgConn) error { p.CustomData()[endingKey] = e; return nil }
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if e.inCommit.Load() {
			return nil, errNotCancelled
		}
		return dial(ctx, network, address)
	}
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			e.warning = n
		}
	}
}

func endingOf(c *pgxpool.Conn) *ending {
	e, _ := c.Conn().PgConn().CustomData()[endingKey].(*ending)
	return e
}

// begins notes that COMMIT is going to be sent at the end of a batch. What the server
// warns of in what stands before it, such as transaction numbers that run short, does not
// count.
func (e *ending) begins(batch *pgx.Batch) {
	e.warning = nil
	e.inCommit.Store(true)
	if len(batch.QueuedQueries) == 0 {
		return
	}
	last := batch.QueuedQueries[len(batch.QueuedQueries)-1]
	read := last.Fn
	last.Fn = func(results pgx.BatchResults) (err error) {
		if read != nil {
			err = read(results)
		} else {
			_, err = results.Exec()
		}
		e.warning = nil
		return err
	}
}

// ended notes that COMMIT was answered, and tells what the server has warned of, or nil.
func (e *ending) ended() *pgconn.Notice {
	e.inCommit.Store(false)
	return e.warning
}

// The commits that were given up: sessions of the server, by process id.
type givenUp struct {
	some atomic.Bool

	mu       sync.Mutex
	sessions map[uint32]stopwatch // since they were given up
	asked    stopwatch
}

const (
	givenUpEvery = time.Second     // between questions for them
	givenUpMost  = 2 * time.Second // for the answer
)

// errGivenUp says that a commit which was given up goes on at the server.
var errGivenUp = errors.New("a commit that was given up has not ended: the server may be without its synchronous standby")

func (g *givenUp) add(session uint32) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.sessions == nil {
		g.sessions = make(map[uint32]stopwatch)
	}
	g.sessions[session] = startStopwatch()
	g.some.Store(true)
}

// goOn is errGivenUp while one of them goes on. The server is asked once a second: by
// reading, which needs no standby. Another server, after a failover, has no such sessions.
func (g *givenUp) goOn(ctx context.Context, pool *pgxpool.Pool) error {
	if !g.some.Load() {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sessions) == 0 {
		return nil
	}
	if g.asked.began.IsZero() || g.asked.took() >= givenUpEvery {
		if err := g.ask(ctx, pool); err != nil {
			return err
		}
		g.asked = startStopwatch()
	}
	if len(g.sessions) > 0 {
		return errGivenUp
	}
	g.some.Store(false)
	return nil
}

// ask forgets the sessions that have ended, or do something that they began later.
func (g *givenUp) ask(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, givenUpMost)
	defer cancel()
	ids, since := make([]int64, 0, len(g.sessions)), make([]int64, 0, len(g.sessions))
	for id, watch := range g.sessions {
		ids, since = append(ids, int64(id)), append(since, watch.took().Microseconds())
	}
	found, err := pool.Query(ctx, `SELECT a.pid FROM unnest($1::bigint[], $2::bigint[]) AS given (pid, us)
		JOIN pg_stat_activity AS a ON a.pid = given.pid WHERE a.state = 'active' AND a.xact_start <= clock_timestamp() - given.us * interval '1 microsecond'`, ids, since)
	if err != nil {
		return err
	}
	active, err := pgx.CollectRows(found, pgx.RowTo[uint32])
	if err != nil {
		return err
	}
	for id := range g.sessions {
		if !slices.Contains(active, id) {
			delete(g.sessions, id)
		}
	}
	return nil
}
