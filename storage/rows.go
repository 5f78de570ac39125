package storage

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A statement for many rows (conn.each) is written for one of them, with five
// words of its own:
//
//	INSERT INTO t (a, b, c) {{rows $1, $2, 0}} ON CONFLICT (a) DO NOTHING {{stored a = $1}}
//	UPDATE t SET b = $2 {{from rows}} WHERE a = $1
//	UPDATE t SET b = $2 {{from hoped rows}} WHERE a = $1 AND b = $3
//	DELETE FROM t {{using rows}} WHERE a = $1
//
// SQLite runs it once for each row, but inserts several rows at a time. PostgreSQL
// runs it once for all of them, given as arrays, which is several times faster
// than as many statements, even in one round trip. {{stored}} names the columns by
// which the rows that were stored are found again; without it nobody is told. Of
// {{from hoped rows}} each is hoped to change one row of the table.
var rowWords = regexp.MustCompile(`\{\{(rows|from rows|from hoped rows|using rows|stored)(?: ([^}]*))?\}\}`)

// oneRow is the statement for one row.
func oneRow(text string) string {
	return rowWords.ReplaceAllStringFunc(text, func(word string) string {
		if m := rowWords.FindStringSubmatch(word); m[1] == "rows" {
			return "VALUES (" + m[2] + ")"
		}
		return ""
	})
}

// severalRows is an INSERT of n rows at once that fails as a whole when one of them
// is there already: when it does not fail, all were stored, and nobody need look which.
// It is not ok for statements that do more than insert.
func severalRows(text string, n int) (several string, ok bool) {
	several = rowWords.ReplaceAllStringFunc(doNothing.ReplaceAllString(text, ""), func(word string) string {
		if m := rowWords.FindStringSubmatch(word); m[1] == "rows" {
			ok = true
			return "VALUES " + strings.Repeat("("+unnamed(m[2])+"), ", n-1) + "(" + unnamed(m[2]) + ")"
		}
		return ""
	})
	return several, ok && !strings.Contains(several, "$") && !strings.Contains(several, "ON CONFLICT")
}

var doNothing = regexp.MustCompile(`ON CONFLICT \([^)]*\) DO NOTHING`)

// unnamed writes $1, $2 ... as ?, where they come in this order, once each: SQLite's
// driver finds those without comparing names.
func unnamed(text string) string {
	for i, name := range argument.FindAllString(text, -1) {
		if name != "$"+strconv.Itoa(i+1) {
			return text
		}
	}
	return argument.ReplaceAllString(text, "?")
}

// A rowSet is a statement for all rows at once.
type rowSet struct {
	text string
	// hopeful is an INSERT that fails when one of its rows is there already, or an UPDATE
	// that fails when one of them changes none; "" for statements of which nothing is hoped.
	hopeful string
	// keys are the arguments, from 0, that tell which rows an INSERT has stored; an
	// UPDATE or DELETE tells their numbers.
	keys   []int
	update bool
}

var (
	argument  = regexp.MustCompile(`\$(\d+)`)
	storedKey = regexp.MustCompile(`(\w+) = \$(\d+)`)
)

// allRows makes the statement for all rows at once; types are those of the arguments.
func allRows(text string, types []string) rowSet {
	var s rowSet
	arrays, names := make([]string, len(types)), make([]string, len(types))
	for i, name := range types {
		arrays[i], names[i] = fmt.Sprintf("$%d::%s[]", i+1, name), fmt.Sprintf("c%d", i+1)
	}
	source := " FROM unnest(" + strings.Join(arrays, ", ") + ")"
	column := func(s string) string { return argument.ReplaceAllString(s, "r.c$1") }
	var b strings.Builder
	end, hoped := 0, false
	for _, m := range rowWords.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(column(text[end:m[0]]))
		end = m[1]
		rest := ""
		if m[4] >= 0 {
			rest = text[m[4]:m[5]]
		}
		switch word := text[m[2]:m[3]]; word {
		case "rows":
			b.WriteString("SELECT " + column(rest) + source + " AS r(" + strings.Join(names, ", ") + ")")
		case "from rows", "from hoped rows", "using rows":
			s.update = true
			hoped = word == "from hoped rows"
			from, _, _ := strings.Cut(word, " ")
			b.WriteString(strings.Replace(strings.TrimSpace(source), "FROM", strings.ToUpper(from), 1) + " WITH ORDINALITY AS r(" + strings.Join(names, ", ") + ", number)")
		case "stored":
			var columns []string
			for _, k := range storedKey.FindAllStringSubmatch(rest, -1) {
				n, err := strconv.Atoi(k[2])
				if err != nil {
					panic(err) // the expression matches digits only
				}
				columns, s.keys = append(columns, k[1]), append(s.keys, n-1)
			}
			b.WriteString("RETURNING " + strings.Join(columns, ", "))
		}
	}
	b.WriteString(column(text[end:]))
	if hoped {
		s.hopeful = fmt.Sprintf(hopedForRows, b.String(), arrays[0])
	}
	if s.update {
		b.WriteString(" RETURNING r.number")
	}
	s.text = b.String()
	if doNothing.MatchString(s.text) {
		s.hopeful, _, _ = strings.Cut(doNothing.ReplaceAllString(s.text, ""), "RETURNING")
	}
	return s
}

// hopedForRows fails unless a statement changes as many rows as it is given: what is made a
// number then is the text that the server's log shows.
const hopedForRows = `WITH changed AS (%s RETURNING 1)
	SELECT CAST(CASE WHEN count(*) = cardinality(%s) THEN '0' ELSE 'a row is no longer as it was' END AS BIGINT) FROM changed`

// change runs an UPDATE of hoped rows; told hears which of them were changed. A
// transaction that hopes does not wait for it, as with conn.flush.
func change(ctx context.Context, tx conn, text string, args [][]any, told func(changed []int64)) error {
	if len(args) == 0 {
		return nil
	}
	if err := tx.later(ctx, text, args, told); err != nil {
		return err
	}
	return tx.flush(ctx)
}

// columns turns rows of arguments into one array for each argument, and names
// PostgreSQL's types of them.
func columns(args [][]any) (arrays []any, types []string, err error) {
	for i := range args[0] {
		switch args[0][i].(type) {
		case int64:
			arrays, types, err = appendColumn[int64](arrays, types, "bigint", args, i)
		case string:
			arrays, types, err = appendColumn[string](arrays, types, "text", args, i)
		case []byte:
			arrays, types, err = appendColumn[[]byte](arrays, types, "bytea", args, i)
		case bool:
			arrays, types, err = appendColumn[bool](arrays, types, "boolean", args, i)
		default:
			err = fmt.Errorf("an argument $%d of type %T cannot be an array", i+1, args[0][i])
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return arrays, types, nil
}

func appendColumn[T any](arrays []any, types []string, name string, args [][]any, i int) ([]any, []string, error) {
	column := make([]T, len(args))
	for n, row := range args {
		value, ok := row[i].(T)
		if !ok {
			return nil, nil, fmt.Errorf("the arguments $%d are not all of one type", i+1)
		}
		column[n] = value
	}
	return append(arrays, column), append(types, name), nil
}

// appendKey appends a value to the text that tells one row of a batch from the
// others: each value ends where no other one could go on.
func appendKey(key []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case int64:
		key = strconv.AppendInt(key, v, 36)
	case string:
		key = append(strconv.AppendInt(key, int64(len(v)), 36), ':')
		key = append(key, v...)
	case []byte:
		key = append(strconv.AppendInt(key, int64(len(v)), 36), ':')
		key = append(key, v...)
	default:
		return nil, fmt.Errorf("a row has a key of type %T", value)
	}
	return append(key, ','), nil
}
