package payoutform

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
)

//go:embed banks.csv
var sampleBanks string

// ReadBanks reads the directory of SBP banks from a CSV file with two columns,
// number and name; a first line without a number is a heading. An empty path
// gives a small sample. Errors name file and line.
func ReadBanks(path string) ([]Bank, error) {
	if path == "" {
		return parseBanks(strings.NewReader(sampleBanks), "banks.csv")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the SBP banks: %w", err)
	}
	defer file.Close()
	return parseBanks(file, path)
}

func parseBanks(in io.Reader, path string) ([]Bank, error) {
	rows := csv.NewReader(in)
	rows.FieldsPerRecord, rows.TrimLeadingSpace = 2, true
	var banks []Bank
	seen := make(map[string]bool)
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the SBP banks: %s: %w", path, err)
		}
		line, _ := rows.FieldPos(0)
		bank := Bank{ID: strings.TrimSpace(strings.TrimPrefix(row[0], "\ufeff")), Name: strings.TrimSpace(row[1])}
		number := bank.ID != "" && strings.Trim(bank.ID, "0123456789") == ""
		switch {
		case !number && line == 1:
			continue
		case !number:
			return nil, fmt.Errorf("read the SBP banks: %s: line %d: the first column is not a number", path, line)
		case bank.Name == "" || strings.ContainsFunc(bank.Name, unicode.IsControl):
			return nil, fmt.Errorf("read the SBP banks: %s: line %d: the second column is not a name", path, line)
		case seen[bank.ID]:
			return nil, fmt.Errorf("read the SBP banks: %s: line %d: number %s occurs twice", path, line, bank.ID)
		}
		seen[bank.ID] = true
		banks = append(banks, bank)
	}
	if len(banks) == 0 {
		return nil, fmt.Errorf("read the SBP banks: %s has none", path)
	}
	slices.SortFunc(banks, func(a, b Bank) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return banks, nil
}
