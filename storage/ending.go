package storage

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A commit on PostgreSQL that waits for its synchronous standby is in the primary's log
// already, and nobody sees it. Who cancels it does not undo it: the server ends the wait,
// warns, says COMMIT, and shows everybody what a failover may take back. An order would
// be acknowledged and lost, or paid and paid again. So what was committed with a warning
// has no known end; and the gateway never cancels a commit that it has asked for.

// An ending is what is known of the end of a connection's transactions.
type ending struct {
	committed atomic.Bool // COMMIT was sent, and not answered
	warning   *pgconn.Notice
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
		if e.committed.Load() {
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

// asked notes that COMMIT is going to be sent, or was answered; then it tells what the
// server has warned of meanwhile, or nil.
func (e *ending) asked(committed bool) (warning *pgconn.Notice) {
	warning, e.warning = e.warning, nil
	e.committed.Store(committed)
	return warning
}
