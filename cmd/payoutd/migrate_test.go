package main

import (
	"database/sql"
	"testing"
)

// Tables of another build are not worked on: a newer one's by nothing but a backup, an older one's
// by nothing but serve and migrate, which bring them up to date.
func TestTablesOfAnotherBuildAreLeftAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok("project", "add", "Main")
	direct, err := sql.Open("sqlite", s.database())
	check(t, err)
	defer direct.Close()
	_, err = direct.Exec("INSERT INTO goose_db_version (version_id, is_applied) SELECT max(version_id) + 1, 1 FROM goose_db_version")
	check(t, err)
	for _, args := range [][]string{{"project", "list"}, {"project", "add", "Other"}, {"migrate"}, {"serve", "--listen", "127.0.0.1:0"}, {"check"},
		{"archive", "--older-than", "3mo", "--to", s.file("archive")}} {
		s.fails(1, "the database is of a newer payoutd", args...)
	}
	s.ok("backup", s.file("newer.db"))
	_, err = direct.Exec("DELETE FROM goose_db_version WHERE version_id >= (SELECT max(version_id) - 1 FROM goose_db_version)")
	check(t, err)
	for _, args := range [][]string{{"project", "list"}, {"project", "add", "Other"}, {"check"}, {"archive", "--older-than", "3mo", "--to", s.file("archive")}} {
		s.fails(1, "the database is of an older payoutd: run payoutd migrate first", args...)
	}
	s.ok("backup", s.file("older.db"))
	s.fails(1, "the database is of an older payoutd: run payoutd migrate first", "check", s.file("older.db"))
}
