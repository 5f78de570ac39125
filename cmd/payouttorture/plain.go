//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A plain pair has no failover manager: this program kills the primary, promotes
// the standby by pg_ctl and makes a new standby. It is as quick as PostgreSQL is.
type plain struct {
	servers
	leader int // which of the two is the primary
}

// standbyName is cluster_name of both servers: a standby tells it to its primary.
const standbyName = "standby"

const plainConfig = config + `
cluster_name = '` + standbyName + `'
synchronous_standby_names = '` + standbyName + `'
`

func (p *plain) setUp(ctx context.Context) error {
	if err := p.command(ctx, "initdb", "-D", p.data(0), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(p.data(0), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(plainConfig)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := p.start(ctx, 0); err != nil {
		return err
	}
	if err := p.addStandby(ctx); err != nil {
		return err
	}
	return p.createDatabase(ctx, 0)
}

func (p *plain) start(ctx context.Context, server int) error {
	return p.command(ctx, "pg_ctl", "start", "-w", "-t", strconv.Itoa(int(serverStarts.Seconds())), "-D", p.data(server),
		"-l", filepath.Join(p.dir, fmt.Sprintf("log%d", server+1)), "-o", fmt.Sprintf("-p %d", p.ports[server]))
}

// addStandby makes the other server a new copy of the primary and waits until
// the primary commits with it.
func (p *plain) addStandby(ctx context.Context) error {
	standby := 1 - p.leader
	if err := os.RemoveAll(p.data(standby)); err != nil {
		return err
	}
	if err := p.command(ctx, "pg_basebackup", "-D", p.data(standby), "-R", "-X", "stream", "-c", "fast",
		"-h", "127.0.0.1", "-p", strconv.Itoa(p.ports[p.leader]), "-U", "postgres"); err != nil {
		return err
	}
	if err := p.start(ctx, standby); err != nil {
		return err
	}
	_, err := p.primary(ctx)
	return err
}

func (p *plain) primary(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, standbyCatchs)
	defer cancel()
	for {
		whole, err := p.streams(ctx, p.leader)
		if whole {
			return p.leader, nil
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			return 0, fmt.Errorf("the standby does not come up with its primary: %w", errors.Join(ctx.Err(), err))
		}
	}
}

// failOver promotes the standby when the primary's end has not been noticed for
// that long.
func (p *plain) failOver(ctx context.Context, unnoticed time.Duration) error {
	if err := p.kill(ctx, p.leader); err != nil {
		return err
	}
	if err := wait(ctx, unnoticed); err != nil {
		return err
	}
	if err := p.command(ctx, "pg_ctl", "promote", "-w", "-t", strconv.Itoa(int(serverStarts.Seconds())), "-D", p.data(1-p.leader)); err != nil {
		return err
	}
	p.leader = 1 - p.leader
	return p.addStandby(ctx)
}

func (p *plain) restart(ctx context.Context, server int, after time.Duration) error {
	if err := p.kill(ctx, server); err != nil {
		return err
	}
	if err := wait(ctx, after); err != nil {
		return err
	}
	if err := p.start(ctx, server); err != nil {
		return err
	}
	_, err := p.primary(ctx)
	return err
}

func (p *plain) loseStandby(ctx context.Context, lasts time.Duration) (from, to time.Time, err error) {
	standby := 1 - p.leader
	if err := p.kill(ctx, standby); err != nil {
		return from, to, err
	}
	from = time.Now()
	err = wait(ctx, lasts)
	to = time.Now()
	if err == nil {
		err = p.start(ctx, standby)
	}
	if err == nil {
		_, err = p.primary(ctx)
	}
	return from, to, err
}

func (p *plain) stop() error { return p.stopServers() }
