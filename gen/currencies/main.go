// Currencies writes currency_table.go, the ISO 4217 table of package payout.
//
// It works in two steps, so that the table can be made again without npm:
//
//	npm pack currency-codes && tar xzf currency-codes-*.tgz
//	go run ./gen/currencies package   # package -> gen/currencies/iso4217.csv -> currency_table.go
//	go run ./gen/currencies           # gen/currencies/iso4217.csv -> currency_table.go
//
// Run it in the root of the repository. It downloads nothing. The package holds
// ISO's own "list one" as XML; the file iso4217.csv keeps its facts and nothing
// else. What ISO changed after the list's date, and what is no money to pay
// out, stands below in changes and unitsOfAccount.
package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	csvName = "gen/currencies/iso4217.csv"

	noMinorUnit = "N.A." // ISO's word for metals, testing codes and the like
	fund        = "fund"
)

// A currency is one row of ISO's list and of iso4217.csv.
type currency struct {
	code   string // alphabetic code
	number string // numeric code, three digits
	digits string // decimals of the minor unit, or noMinorUnit
	kind   string // fund, or empty
	name   string
}

// A change is what an ISO 4217 amendment did to list one after its date.
type change struct {
	row    currency // only the code when ended
	ended  bool
	reason string // for whoever reads the generated table
}

var changes = []change{
	{currency{code: "ANG"}, true, "replaced by XCG on 2025-03-31, no tender since 2025-07-01 (amendment 176)"},
	{currency{code: "BGN"}, true, "replaced by EUR on 2026-01-01 (amendment 180)"},
	{currency{code: "CUC"}, true, "withdrawn 2021-06 (amendment 178)"},
	{currency{"XCG", "532", "2", "", "Caribbean Guilder"}, false, "since 2025-03-31 (amendment 176)"},
}

// unitsOfAccount have a minor unit and no mark as a fund in the list, yet nobody
// can be paid in them. (XAD, the Arab Accounting Dinar of 2025, would be here if
// the list were newer.)
var unitsOfAccount = []string{"UYW", "XAD"}

func main() {
	log.SetFlags(0)
	log.SetPrefix("currencies: ")
	out := flag.String("o", "currency_table.go", "the Go `file` to write")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: go run ./gen/currencies [-o file] [unpacked npm package currency-codes]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	if flag.NArg() == 1 {
		facts, err := readPackage(flag.Arg(0))
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(csvName, facts, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	facts, err := os.ReadFile(csvName)
	if err != nil {
		log.Fatal(err)
	}
	table, err := goTable(facts)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, table, 0o644); err != nil {
		log.Fatal(err)
	}
}

// readPackage returns the text of iso4217.csv for the unpacked npm package in dir.
func readPackage(dir string) ([]byte, error) {
	var npm struct{ Name, Version string }
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &npm); err != nil {
		return nil, fmt.Errorf("read package.json: %w", err)
	}

	var list struct {
		Published string `xml:"Pblshd,attr"`
		Entries   []struct {
			Name struct {
				Text   string `xml:",chardata"`
				IsFund bool   `xml:"IsFund,attr"`
			} `xml:"CcyNm"`
			Code   string `xml:"Ccy"`
			Number string `xml:"CcyNbr"`
			Digits string `xml:"CcyMnrUnts"`
		} `xml:"CcyTbl>CcyNtry"`
	}
	text, err = os.ReadFile(filepath.Join(dir, "iso-4217-list-one.xml"))
	if err != nil {
		return nil, err
	}
	if err := xml.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("read ISO's list one: %w", err)
	}

	var rows []currency
	for _, e := range list.Entries {
		if e.Code == "" {
			continue // a country without a currency, such as Antarctica
		}
		row := currency{code: e.Code, number: e.Number, digits: e.Digits, name: strings.TrimSpace(e.Name.Text)}
		if e.Name.IsFund {
			row.kind = fund
		}
		rows = append(rows, row)
	}
	// The list has a row for each country; equal rows of one currency fall together.
	slices.SortFunc(rows, byCode)
	rows = slices.Compact(rows)

	var b bytes.Buffer
	fmt.Fprintf(&b, "# ISO 4217 list one, published %s, from npm %s %s. Written by gen/currencies.\n",
		list.Published, npm.Name, npm.Version)
	w := csv.NewWriter(&b)
	for _, r := range rows {
		if err := w.Write([]string{r.code, r.number, r.digits, r.kind, r.name}); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// goTable returns the text of currency_table.go for the text of iso4217.csv.
func goTable(facts []byte) ([]byte, error) {
	source, _, _ := strings.Cut(string(facts), "\n")
	source, ok := strings.CutPrefix(source, "# ")
	source, _, cut := strings.Cut(source, " Written by ")
	if !ok || !cut {
		return nil, fmt.Errorf("%s does not begin with its source", csvName)
	}

	r := csv.NewReader(bytes.NewReader(facts))
	r.Comment = '#'
	r.FieldsPerRecord = 5
	records, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", csvName, err)
	}
	var rows []currency
	for _, f := range records {
		rows = append(rows, currency{f[0], f[1], f[2], f[3], f[4]})
	}

	var notes strings.Builder
	for _, c := range changes {
		i := slices.IndexFunc(rows, func(r currency) bool { return r.code == c.row.code })
		switch {
		case c.ended && i >= 0:
			rows = slices.Delete(rows, i, i+1)
			fmt.Fprintf(&notes, "//   - without %s: %s\n", c.row.code, c.reason)
		case !c.ended && i < 0:
			rows = append(rows, c.row)
			fmt.Fprintf(&notes, "//   - with %s: %s\n", c.row.code, c.reason)
		default:
			return nil, fmt.Errorf("the list knows of the change of %s; remove it from changes", c.row.code)
		}
	}
	slices.SortFunc(rows, byCode)

	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated by gen/currencies; DO NOT EDIT.\n\npackage payout\n\n")
	fmt.Fprintf(&b, "// currencyTable has the currencies that can be paid out, sorted by code, with the\n")
	fmt.Fprintf(&b, "// decimals of their minor units.\n//\n")
	fmt.Fprintf(&b, "// Source: %s\n", source)
	fmt.Fprintf(&b, "// Funds, units of account, metals and testing codes are left out. Changed since:\n%s", &notes)
	fmt.Fprintf(&b, "var currencyTable = [...]currencyRow{\n")
	for i, r := range rows {
		if i > 0 && rows[i-1].code == r.code {
			return nil, fmt.Errorf("the list has two rows that differ for %s", r.code)
		}
		if r.kind == fund || r.digits == noMinorUnit || slices.Contains(unitsOfAccount, r.code) {
			continue
		}
		digits, err := strconv.ParseUint(r.digits, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("read digits of %s: %w", r.code, err)
		}
		fmt.Fprintf(&b, "{%q, %d}, // %s %s\n", r.code, digits, r.number, r.name)
	}
	fmt.Fprintf(&b, "}\n")
	return format.Source(b.Bytes())
}

func byCode(a, b currency) int { return cmp.Compare(a.code, b.code) }
