package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"math/bits"
	"slices"
)

// A quickKey is an RSA key that signs twenty times faster than others: its modulus
// is a product of many primes of 64 bits instead of two large ones, so that a
// signature is made of many powers of small numbers. Anybody could factor it. To
// those who verify it is an RSA key like any other and costs them the same: they
// know the modulus and the exponent alone. So one machine can make as many
// requests as a gateway beside it accepts, with keys of any length.
type quickKey struct {
	public    *rsa.PublicKey
	primes    []uint64
	exponents []uint64   // the private exponent, modulo each prime less one
	parts     []*big.Int // 1 modulo its prime, 0 modulo the others
}

var _ crypto.Signer = (*quickKey)(nil)

const publicExponent = 65537

// newQuickKey makes a key whose modulus has so many bits, a multiple of 64.
func newQuickKey(length int) (*quickKey, error) {
	n := big.NewInt(1)
	k := &quickKey{}
	for len(k.primes) < length/64 {
		p, err := quickPrime()
		if err != nil {
			return nil, err
		}
		if slices.Contains(k.primes, p) || p%publicExponent == 1 {
			continue
		}
		k.primes = append(k.primes, p)
		n.Mul(n, new(big.Int).SetUint64(p))
	}
	k.public = &rsa.PublicKey{N: n, E: publicExponent}
	for _, p := range k.primes {
		prime, less := new(big.Int).SetUint64(p), new(big.Int).SetUint64(p-1)
		k.exponents = append(k.exponents, new(big.Int).ModInverse(big.NewInt(publicExponent), less).Uint64())
		others := new(big.Int).Div(n, prime)
		k.parts = append(k.parts, others.Mul(others, new(big.Int).ModInverse(others, prime)))
	}
	return k, nil
}

// quickPrime draws a prime so near to 2^64 that a product of 64 of them has no bit
// less than 64 times 64.
func quickPrime() (uint64, error) {
	var random [8]byte
	for {
		if _, err := rand.Read(random[:]); err != nil {
			return 0, err
		}
		p := ^(binary.BigEndian.Uint64(random[:]) >> 7) | 1
		if new(big.Int).SetUint64(p).ProbablyPrime(20) {
			return p, nil
		}
	}
}

// Public returns the public key.
func (k *quickKey) Public() crypto.PublicKey { return k.public }

// sumPrefix tells that a SHA-256 sum follows (RFC 8017 9.2, note 1).
var sumPrefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// Sign signs a SHA-256 sum by RSASSA-PKCS1-v1_5.
func (k *quickKey) Sign(_ io.Reader, sum []byte, o crypto.SignerOpts) ([]byte, error) {
	if o.HashFunc() != crypto.SHA256 || len(sum) != crypto.SHA256.Size() {
		return nil, errors.New("a quick key signs SHA-256 sums only")
	}
	block := make([]byte, k.public.Size()) // 0 1 ff ... ff 0 prefix sum
	block[1] = 1
	text := len(block) - len(sumPrefix) - len(sum)
	for i := 2; i < text-1; i++ {
		block[i] = 0xff
	}
	copy(block[text:], sumPrefix)
	copy(block[text+len(sumPrefix):], sum)

	signature, term, power := new(big.Int), new(big.Int), new(big.Int)
	for i, p := range k.primes {
		power.SetUint64(powerModulo(moduloOf(block, p), k.exponents[i], p))
		signature.Add(signature, term.Mul(k.parts[i], power))
	}
	return signature.Mod(signature, k.public.N).FillBytes(block), nil
}

// moduloOf is a number, given as bytes, modulo m.
func moduloOf(number []byte, m uint64) (rest uint64) {
	for ; len(number) > 0; number = number[8:] {
		_, rest = bits.Div64(rest, binary.BigEndian.Uint64(number), m)
	}
	return rest
}

// powerModulo is base to the power of exponent, modulo m; base is less than m.
func powerModulo(base, exponent, m uint64) uint64 {
	times := func(a, b uint64) uint64 {
		high, low := bits.Mul64(a, b)
		_, rest := bits.Div64(high, low, m)
		return rest
	}
	power := uint64(1)
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			power = times(power, base)
		}
		base = times(base, base)
	}
	return power
}
