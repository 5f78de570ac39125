package storage

import (
	"strings"
	"testing"
)

func TestStatementForOneRowAndForAll(t *testing.T) {
	for _, test := range []struct{ text, one, all string }{
		{"INSERT INTO t (a, b, c) {{rows $1, $2, 0}} ON CONFLICT (a) DO NOTHING {{stored a = $1, b = $2}}",
			"INSERT INTO t (a, b, c) VALUES ($1, $2, 0) ON CONFLICT (a) DO NOTHING ",
			"INSERT INTO t (a, b, c) SELECT r.c1, r.c2, 0 FROM unnest($1::bigint[], $2::text[]) AS r(c1, c2) ON CONFLICT (a) DO NOTHING RETURNING a, b"},
		{"INSERT INTO t (a, b) {{rows $1, $2}}",
			"INSERT INTO t (a, b) VALUES ($1, $2)",
			"INSERT INTO t (a, b) SELECT r.c1, r.c2 FROM unnest($1::bigint[], $2::text[]) AS r(c1, c2)"},
		{"UPDATE t SET b = $2, n = n + 1 {{from rows}} WHERE a = $1 AND b = 'x'",
			"UPDATE t SET b = $2, n = n + 1  WHERE a = $1 AND b = 'x'",
			"UPDATE t SET b = r.c2, n = n + 1 FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS r(c1, c2, number) WHERE a = r.c1 AND b = 'x' RETURNING r.number"},
		{"UPDATE t SET b = $2 {{from hoped rows}} WHERE a = $1",
			"UPDATE t SET b = $2  WHERE a = $1",
			"UPDATE t SET b = r.c2 FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS r(c1, c2, number) WHERE a = r.c1 RETURNING r.number"},
		{"DELETE FROM t {{using rows}} WHERE a = $1 AND b = $2",
			"DELETE FROM t  WHERE a = $1 AND b = $2",
			"DELETE FROM t USING unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS r(c1, c2, number) WHERE a = r.c1 AND b = r.c2 RETURNING r.number"},
	} {
		if got := oneRow(test.text); got != test.one {
			t.Errorf("one row:\n%s\nwant\n%s", got, test.one)
		}
		if got := allRows(test.text, []string{"bigint", "text"}).text; got != test.all {
			t.Errorf("all rows:\n%s\nwant\n%s", got, test.all)
		}
	}
}

func TestHopefulStatementOfAllRows(t *testing.T) {
	for text, want := range map[string]string{
		"INSERT INTO t (a, b) {{rows $1, $2}} ON CONFLICT (a) DO NOTHING {{stored a = $1}}": "INSERT INTO t (a, b) SELECT r.c1, r.c2 FROM unnest($1::bigint[], $2::text[]) AS r(c1, c2)",
		"UPDATE t SET b = $2 {{from hoped rows}} WHERE a = $1": "WITH changed AS (UPDATE t SET b = r.c2 FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS r(c1, c2, number) WHERE a = r.c1 RETURNING 1) " +
			"SELECT CAST(CASE WHEN count(*) = cardinality($1::bigint[]) THEN '0' ELSE 'a row is no longer as it was' END AS BIGINT) FROM changed",
		"INSERT INTO t (a, b) {{rows $1, $2}}":           "",
		"UPDATE t SET b = $2 {{from rows}} WHERE a = $1": "",
		"DELETE FROM t {{using rows}} WHERE a = $1":      "",
	} {
		if got := strings.Join(strings.Fields(allRows(text, []string{"bigint", "text"}).hopeful), " "); got != want {
			t.Errorf("%s\nis\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestOnlyAnInsertIsDoneForSeveralRows(t *testing.T) {
	for text, want := range map[string]string{
		"INSERT INTO t (a, b, c) {{rows $1, $2, 0}}":                                               "INSERT INTO t (a, b, c) VALUES (?, ?, 0), (?, ?, 0), (?, ?, 0)",
		"INSERT INTO t (a, b) {{rows $1, $2}}ON CONFLICT (a, b) DO NOTHING{{stored a = $1}}":       "INSERT INTO t (a, b) VALUES (?, ?), (?, ?), (?, ?)",
		"INSERT INTO t (a, b) {{rows $2, $1}}":                                                     "",
		"INSERT INTO t (a, b) {{rows $1, $1}}":                                                     "",
		"INSERT INTO t (a, b) {{rows $1, $2}} ON CONFLICT (a) DO UPDATE SET b = excluded.b":        "",
		"INSERT INTO t (a, b) {{rows $1, $2}} ON CONFLICT DO NOTHING":                              "",
		"UPDATE t SET b = $1 {{from rows}} WHERE a = $2":                                           "",
		"DELETE FROM t {{using rows}} WHERE a = $1":                                                "",
		"INSERT INTO t (a, b) {{rows $1, $2}} ON CONFLICT (a) DO UPDATE SET b = $3 WHERE t.a > $1": "",
	} {
		got, ok := severalRows(text, 3)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s\nis %q, %t\nwant %q", text, got, ok, want)
		}
	}
}

func TestArgumentsLoseTheirNamesOnlyInOrder(t *testing.T) {
	for text, want := range map[string]string{
		"VALUES ($1, $2, $3)":             "VALUES (?, ?, ?)",
		"SET b = $2 WHERE a = $1":         "SET b = $2 WHERE a = $1",
		"VALUES ($1, $2, $2)":             "VALUES ($1, $2, $2)",
		"VALUES ($2, $3)":                 "VALUES ($2, $3)",
		"VALUES ($1, $2), ($3, $4), ($6)": "VALUES ($1, $2), ($3, $4), ($6)",
	} {
		if got := unnamed(text); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestArgumentsOfManyRowsHaveOneTypeEach(t *testing.T) {
	arrays, types, err := columns([][]any{{int64(1), "a", []byte{1}, true}, {int64(2), "b", []byte{}, false}})
	if err != nil || len(arrays) != 4 || types[0] != "bigint" || types[1] != "text" || types[2] != "bytea" || types[3] != "boolean" {
		t.Errorf("%v %v %v", arrays, types, err)
	}
	for _, wrong := range [][][]any{{{int64(1)}, {"a"}}, {{1}}, {{nil}}, {{int64(1)}, {nil}}} {
		if _, _, err := columns(wrong); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}
