package sign

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// KeyBitsMin and KeyBitsMax are the sizes of RSA keys the reference allows
// (api-facts 1.1). A longer key would cost too much on every request.
const (
	KeyBitsMin = 2048
	KeyBitsMax = 4096
)

// The types of PEM blocks.
const (
	blockSPKI    = "PUBLIC KEY"
	blockPKCS1   = "RSA PUBLIC KEY"
	blockPKCS8   = "PRIVATE KEY"
	blockPrivate = "RSA PRIVATE KEY"
)

// ParsePublicKey reads one RSA public key of 2048 to 4096 bits from PEM, SPKI
// ("PUBLIC KEY", RFC 5280) or PKCS#1 ("RSA PUBLIC KEY", RFC 8017). The errors
// are written for the Manager who has pasted something else, and never quote
// what was pasted.
func ParsePublicKey(text []byte) (*rsa.PublicKey, error) {
	block, err := decodePEM(text)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	key, err := publicKey(block)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	if err := checkPublicKey(key); err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return key, nil
}

func publicKey(block *pem.Block) (*rsa.PublicKey, error) {
	switch {
	case block.Type == blockPKCS1:
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		return key, contentError(err)
	case block.Type == blockSPKI:
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, contentError(err)
		}
		rsaKey, ok := key.(*rsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("not an RSA key but a %T", key)
		}
		return rsaKey, nil
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key, which nobody else may see: " +
			"make a new pair and paste its public key")
	case strings.HasSuffix(block.Type, "CERTIFICATE"):
		return nil, errors.New("this is a certificate: paste the public key alone " +
			"(openssl x509 -pubkey -noout)")
	}
	return nil, errors.New("the PEM block is neither PUBLIC KEY nor RSA PUBLIC KEY")
}

// ParsePrivateKey reads one RSA private key of 2048 to 4096 bits from PEM that
// is not encrypted, PKCS#8 ("PRIVATE KEY", RFC 5958) or PKCS#1 ("RSA PRIVATE
// KEY", RFC 8017). The errors never quote the text.
func ParsePrivateKey(text []byte) (*rsa.PrivateKey, error) {
	block, err := decodePEM(text)
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	key, err := privateKey(block)
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	if err := checkPublicKey(&key.PublicKey); err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	return key, nil
}

func privateKey(block *pem.Block) (*rsa.PrivateKey, error) {
	switch {
	case block.Headers["DEK-Info"] != "" || block.Type == "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is encrypted: decrypt it first (openssl pkey)")
	case block.Type == blockPrivate:
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		return key, contentError(err)
	case block.Type == blockPKCS8:
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, contentError(err)
		}
		rsaKey, ok := key.(*rsa.PrivateKey)
		if !ok {
			return nil, fmt.Errorf("not an RSA key but a %T", key)
		}
		return rsaKey, nil
	case strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, errors.New("this is a public key")
	}
	return nil, errors.New("the PEM block is neither PRIVATE KEY nor RSA PRIVATE KEY")
}

// contentError says in a Manager's words what x509 says in a programmer's.
func contentError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the PEM block is damaged or does not hold what its name says: %w", err)
}

// decodePEM returns the only PEM block of text. Nothing but space may stand
// around it: of two keys it would be open which one counts.
func decodePEM(text []byte) (*pem.Block, error) {
	trimmed := strings.TrimSpace(strings.TrimPrefix(string(text), "\ufeff")) // Notepad's mark
	if strings.HasPrefix(trimmed, "ssh-") {
		return nil, errors.New("this is an OpenSSH key: convert it to PEM (ssh-keygen -e -m PKCS8)")
	}
	if strings.Count(trimmed, "-----BEGIN ") > 1 {
		return nil, errors.New("more than one PEM block")
	}
	block, rest := pem.Decode([]byte(trimmed))
	if block == nil {
		return nil, errors.New("no PEM block (-----BEGIN ... -----)")
	}
	if !strings.HasPrefix(trimmed, "-----BEGIN "+block.Type+"-----") {
		return nil, errors.New("text before the PEM block")
	}
	if strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("text after the PEM block")
	}
	return block, nil
}

func checkPublicKey(key *rsa.PublicKey) error {
	if key == nil || key.N == nil {
		return errors.New("no key")
	}
	if bits := key.N.BitLen(); bits < KeyBitsMin || bits > KeyBitsMax {
		return fmt.Errorf("the key has %d bits, allowed are %d to %d", bits, KeyBitsMin, KeyBitsMax)
	}
	if key.E < 3 || key.E%2 == 0 || key.N.Bit(0) == 0 {
		return errors.New("the exponent has to be odd and at least 3, the modulus odd")
	}
	return nil
}

// Fingerprint returns the SHA-256 of the key's SPKI form in lower-case hex,
// which is what "openssl pkey -pubin -outform DER | sha256sum" prints. A nil
// key has an empty one.
func Fingerprint(key *rsa.PublicKey) string {
	if key == nil {
		return ""
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil { // an RSA key without a modulus, which no parser returns
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
