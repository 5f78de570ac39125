//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A patroni is a pair that Patroni keeps: one Patroni beside each server, which
// starts it, and one etcd, in which they agree on the primary. This program kills and
// starts again; who is the primary, and how a dead one comes back, is Patroni's.
//
// What is asked of Patroni by HTTP: https://patroni.readthedocs.io/en/latest/rest_api.html
type patroni struct {
	servers
	etcd     *daemon
	keepers  [2]*daemon // the Patroni of each server
	apis     [2]int     // their ports
	etcdPort int
	peerPort int // of etcd, for other members: there are none
}

// Patroni's times, in seconds. The primary holds a key in etcd and renews it each
// loopWait; when it has not for ttl, the standby promotes itself. ttl must be at least
// loopWait + 2*retryTimeout. Patroni 3.0.2 takes these; later ones take no ttl below
// 20 and wait that long.
const (
	ttl          = 8
	loopWait     = 1
	retryTimeout = 3

	promotionMost = 90 * time.Second // longest time until the standby is the primary, on a busy machine
)

// findPatroni tells what, and so which of Debian's packages, is missing.
func findPatroni() error {
	for _, needed := range []struct{ program, debian string }{{"patroni", "patroni"}, {"etcd", "etcd-server"}} {
		if _, err := exec.LookPath(needed.program); err != nil {
			return fmt.Errorf("--failover patroni: %s was not found: install Debian's package %s, or use --failover plain", needed.program, needed.debian)
		}
	}
	if err := exec.Command("/usr/bin/python3", "-c", "import etcd").Run(); err != nil { // Debian's Python runs Patroni
		return errors.New("--failover patroni: Patroni cannot speak to etcd: install Debian's package python3-etcd, or use --failover plain")
	}
	return nil
}

func newPatroni(s servers) (pair, error) {
	p := &patroni{servers: s}
	for _, port := range []*int{&p.apis[0], &p.apis[1], &p.etcdPort, &p.peerPort} {
		var err error
		if *port, err = freePort(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// settings are the file of a server's Patroni. The standby is synchronous or there
// is no commit, also while it is away: strict. A dead primary comes back as a standby,
// by pg_rewind, or as a new copy where that fails.
func (p *patroni) settings(server int) map[string]any {
	user := map[string]any{"username": "postgres"}
	return map[string]any{
		"scope":   databaseName,
		"name":    fmt.Sprintf("server%d", server+1),
		"restapi": map[string]any{"listen": loopback(p.apis[server]), "connect_address": loopback(p.apis[server])},
		"etcd3":   map[string]any{"host": loopback(p.etcdPort)},
		"bootstrap": map[string]any{
			"dcs": map[string]any{
				"ttl": ttl, "loop_wait": loopWait, "retry_timeout": retryTimeout,
				"synchronous_mode": true, "synchronous_mode_strict": true,
				"postgresql": map[string]any{
					"use_pg_rewind": true,
					"parameters":    map[string]any{"max_connections": 120, "wal_keep_size": "256MB"}, // Patroni overrides the file
				},
			},
			"initdb": []any{map[string]any{"encoding": "UTF8"}, map[string]any{"locale": "C"}, map[string]any{"auth": "trust"}},
		},
		"postgresql": map[string]any{
			"listen": p.address(server), "connect_address": p.address(server),
			"data_dir": p.data(server), "bin_dir": p.bin, "pgpass": filepath.Join(p.dir, fmt.Sprintf("pgpass%d", server+1)),
			"custom_conf":    p.configFile(),
			"authentication": map[string]any{"superuser": user, "replication": user},
			"pg_hba":         []string{"host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"},
			"remove_data_directory_on_rewind_failure": true, "remove_data_directory_on_diverged_timelines": true,
		},
	}
}

func (p *patroni) configFile() string { return filepath.Join(p.dir, "postgresql.conf") }

func (p *patroni) settingsFile(server int) string {
	return filepath.Join(p.dir, fmt.Sprintf("patroni%d.yml", server+1))
}

func (p *patroni) setUp(ctx context.Context) error {
	if err := p.writeFile(p.configFile(), []byte(config)); err != nil {
		return err
	}
	for server := range p.keepers {
		text, err := json.MarshalIndent(p.settings(server), "", "  ") // YAML includes JSON
		if err != nil {
			return err
		}
		if err := p.writeFile(p.settingsFile(server), text); err != nil {
			return err
		}
	}
	var err error
	clients, peers := "http://"+loopback(p.etcdPort), "http://"+loopback(p.peerPort)
	if p.etcd, err = p.daemon("etcd", "etcd", "--name", "one", "--data-dir", filepath.Join(p.dir, "etcd"), "--listen-client-urls", clients, "--advertise-client-urls", clients,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "one="+peers); err != nil {
		return err
	}
	for server := range p.keepers {
		if err := p.keep(server); err != nil {
			return err
		}
	}
	primary, err := p.primary(ctx)
	if err != nil {
		return err
	}
	return p.createDatabase(ctx, primary)
}

// writeFile writes a file for the servers' user.
func (s *servers) writeFile(path string, text []byte) error {
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return err
	}
	if s.as == nil {
		return nil
	}
	return os.Chown(path, int(s.as.Uid), int(s.as.Gid))
}

// keep starts a server's Patroni, which starts the server.
func (p *patroni) keep(server int) (err error) {
	p.keepers[server], err = p.daemon(fmt.Sprintf("patroni%d", server+1), "patroni", p.settingsFile(server))
	return err
}

// says reports what a server's Patroni answers: 200 is yes.
func (p *patroni) says(ctx context.Context, server int, path string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+loopback(p.apis[server])+path, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// primary waits until one server is the primary for its Patroni and the other
// one its synchronous standby, for its Patroni and for the primary. Only such a standby
// is promoted.
func (p *patroni) primary(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, standbyCatchs)
	defer cancel()
	for {
		for server := range p.keepers {
			if p.says(ctx, server, "/primary") && p.says(ctx, 1-server, "/sync") {
				if whole, err := p.streams(ctx, server); err == nil && whole {
					return server, nil
				}
			}
		}
		for _, d := range []*daemon{p.etcd, p.keepers[0], p.keepers[1]} {
			if d.hasEnded() {
				return 0, fmt.Errorf("%s has ended: see %s", d.name, d.log)
			}
		}
		if wait(ctx, 100*time.Millisecond) != nil {
			return 0, fmt.Errorf("the pair that Patroni keeps is not whole: see %s and %s: %w", p.keepers[0].log, p.keepers[1].log, ctx.Err())
		}
	}
}

// failOver ends a machine: its Patroni, and all of PostgreSQL. It comes back a
// while after the promotion.
func (p *patroni) failOver(ctx context.Context, away time.Duration) error {
	old, err := p.primary(ctx)
	if err != nil {
		return err
	}
	p.keepers[old].end(syscall.SIGKILL)
	if err := p.kill(ctx, old); err != nil {
		return err
	}
	promoted, cancel := context.WithTimeout(ctx, promotionMost)
	defer cancel()
	for !p.says(promoted, 1-old, "/primary") {
		if wait(promoted, 100*time.Millisecond) != nil {
			return fmt.Errorf("the standby is not promoted by Patroni: see %s: %w", p.keepers[1-old].log, promoted.Err())
		}
	}
	if err := wait(ctx, away); err != nil {
		return err
	}
	if err := p.keep(old); err != nil {
		return err
	}
	_, err = p.primary(ctx)
	return err
}

// restart kills PostgreSQL only. Its Patroni is stopped meanwhile, for less than
// ttl, and then starts PostgreSQL again.
func (p *patroni) restart(ctx context.Context, server int, after time.Duration) error {
	keeper := p.keepers[server]
	keeper.signal(syscall.SIGSTOP)
	err := p.kill(ctx, server)
	if err == nil {
		err = wait(ctx, after)
	}
	keeper.signal(syscall.SIGCONT)
	if err != nil {
		return err
	}
	_, err = p.primary(ctx)
	return err
}

// loseStandby ends a machine for longer than Patroni waits: it then has the primary wait
// for any standby, and there is none.
func (p *patroni) loseStandby(ctx context.Context, lasts time.Duration) (from, to time.Time, err error) {
	primary, err := p.primary(ctx)
	if err != nil {
		return from, to, err
	}
	standby := 1 - primary
	p.keepers[standby].end(syscall.SIGKILL)
	if err := p.kill(ctx, standby); err != nil {
		return from, to, err
	}
	from = time.Now()
	err = wait(ctx, lasts)
	to = time.Now()
	if err == nil {
		err = p.keep(standby)
	}
	if err == nil {
		_, err = p.primary(ctx)
	}
	return from, to, err
}

// stop ends the Patronis, which stop their servers, and then what is left.
func (p *patroni) stop() error {
	var both sync.WaitGroup
	for _, keeper := range p.keepers {
		both.Go(func() { keeper.end(syscall.SIGTERM) })
	}
	both.Wait()
	err := p.stopServers()
	p.etcd.end(syscall.SIGTERM)
	return err
}

// A daemon is a program that runs beside the servers until it is told to end. The
// methods of a nil daemon, which was never started, do nothing.
type daemon struct {
	name, log string
	command   *exec.Cmd
	ended     chan struct{} // closed when it has
}

// daemonEnds is how long a daemon may take to end before it is killed.
const daemonEnds = 10 * time.Second

// daemon starts a program as the servers' user, in a process group of its own.
// What a Patroni starts is in it too, but for PostgreSQL.
func (s *servers) daemon(name, program string, args ...string) (*daemon, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	d := &daemon{name: name, log: filepath.Join(s.dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d.command = exec.Command(path, args...)
	d.command.Dir, d.command.Stdout, d.command.Stderr = s.dir, log, log
	d.command.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	d.command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setpgid: true} // Ctrl-C is not for it
	if err := d.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = d.command.Wait() // hasEnded tells
		close(d.ended)
	}()
	return d, nil
}

func (d *daemon) hasEnded() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// signal sends a signal to the program and its children, unless it has ended.
func (d *daemon) signal(signal syscall.Signal) {
	if d == nil || d.hasEnded() {
		return
	}
	_ = syscall.Kill(-d.command.Process.Pid, signal) // it may just have ended
}

// end ends the program by a signal, and by SIGKILL where that does not.
func (d *daemon) end(signal syscall.Signal) {
	if d == nil {
		return
	}
	d.signal(signal)
	select {
	case <-d.ended:
	case <-time.After(daemonEnds):
		d.signal(syscall.SIGKILL)
		<-d.ended
	}
}
