package storage

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"payout"
	"payout/vault"
)

// Parameters of an order are sealed as a byte paramsBinary and then, for each of them,
// name and value, each behind its length as an unsigned varint. Each accept writes
// them and each status reads them, which JSON makes five times as expensive. Builds
// before this form sealed a JSON object, which is still read.
const paramsBinary = 1

var errParams = errors.New("parameters are not in the form in which they are stored")

// encodeParams is an order's parameters in the form in which they are sealed.
func encodeParams(params map[string]string) []byte {
	size := 1
	for name, value := range params {
		size += len(name) + len(value) + 2*binary.MaxVarintLen16
	}
	plain := append(make([]byte, 0, size), paramsBinary)
	for name, value := range params {
		plain = append(binary.AppendUvarint(plain, uint64(len(name))), name...)
		plain = append(binary.AppendUvarint(plain, uint64(len(value))), value...)
	}
	return plain
}

// decodeParams reads what encodeParams has written. Its error tells nothing of it.
func decodeParams(plain []byte) (map[string]string, error) {
	if len(plain) == 0 || plain[0] != paramsBinary {
		var params map[string]string
		if json.Unmarshal(plain, &params) != nil {
			return nil, errParams
		}
		return params, nil
	}
	params := make(map[string]string, 8)
	for rest := string(plain[1:]); rest != ""; {
		var name, value string
		var ok bool
		if name, rest, ok = cutCounted(rest); !ok {
			return nil, errParams
		}
		if value, rest, ok = cutCounted(rest); !ok {
			return nil, errParams
		}
		params[name] = value
	}
	return params, nil
}

// cutCounted cuts off a string that stands behind its length.
func cutCounted(text string) (counted, rest string, ok bool) {
	head := [binary.MaxVarintLen64]byte{}
	length, n := binary.Uvarint(head[:copy(head[:], text)])
	if n <= 0 || length > uint64(len(text)-n) {
		return "", "", false
	}
	end := n + int(length)
	return text[n:end], text[end:], true
}

func sealParams(v *vault.Vault, id payout.OrderID, params map[string]string) ([]byte, error) {
	return seal(v, encodeParams(params), place(id))
}

// openParams opens the parameters of an order.
func (db *DB) openParams(id payout.OrderID, sealed []byte) (map[string]string, error) {
	plain, err := db.vault.Open(sealed, place(id))
	if err != nil {
		return nil, err
	}
	params, err := decodeParams(plain)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place(id), err)
	}
	return params, nil
}
