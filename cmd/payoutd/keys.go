package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"payout/sign"
)

type keygenCmd struct {
	Bits int    `default:"4096" enum:"2048,3072,4096" help:"Key length: 2048, 3072 or 4096 bits (default: ${default})."`
	Out  string `arg:"" placeholder:"NAME" help:"Writes NAME.key (private, PKCS#1 PEM, mode 0600) and NAME.pub (public, SPKI PEM)."`
}

// Run makes a key pair. Existing files are never overwritten.
func (c keygenCmd) Run(t terminal) error {
	key, err := writeKeyPair(c.Out, c.Bits)
	if err != nil {
		return err
	}
	t.printf("private key  %s.key   keep it secret; it signs requests\npublic key   %s.pub   give it to the gateway: payoutd party key add LOGIN %s.pub\nfingerprint  %s\n",
		c.Out, c.Out, c.Out, sign.Fingerprint(&key.PublicKey))
	return nil
}

// writeKeyPair makes NAME.key and NAME.pub.
func writeKeyPair(name string, bits int) (*rsa.PrivateKey, error) {
	for _, file := range []string{name + ".key", name + ".pub"} {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s exists already", file)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := writeNew(name+".key", private, 0o600); err != nil {
		return nil, fmt.Errorf("write private key: %w", err)
	}
	if err := writeNew(name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644); err != nil {
		return nil, fmt.Errorf("write public key: %w", err)
	}
	return key, nil
}

// writeNew writes a file that must not exist yet, not even as a dangling link.
func writeNew(file string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// keyMadeWhenMissing reads the private key file NAME.key, or makes it and NAME.pub.
func keyMadeWhenMissing(file string) (*rsa.PrivateKey, error) {
	key, err := readPrivateKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		return writeKeyPair(strings.TrimSuffix(file, ".key"), 4096)
	}
	return key, err
}

// readPublicKey reads a public key file.
func readPublicKey(file string) (*rsa.PublicKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	key, err := sign.ParsePublicKey(data)
	if err != nil {
		return nil, fmt.Errorf("public key %s: %w", file, err)
	}
	return key, nil
}

// readPrivateKey reads a private key file.
func readPrivateKey(file string) (*rsa.PrivateKey, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	key, err := sign.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("private key %s: %w", file, err)
	}
	return key, nil
}
