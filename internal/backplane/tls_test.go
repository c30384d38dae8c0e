//go:build e2e

package backplane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/mcpfunc/mcpfunc/internal/e2etest"
	"github.com/mcpfunc/mcpfunc/internal/ticket"
)

// startTLS starts a Redis that takes only TLS connections, and returns its address and the pool with its certificate,
// which is for 127.0.0.1.
func startTLS(t *testing.T) (addr string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for name, data := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command("redis-server", "--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--requirepass", e2etest.RedisPassword,
		"--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-auth-clients", "no", "--save", "", "--appendonly", "no")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return addr, roots
}

func TestInstancesShareARedisWithTLS(t *testing.T) {
	t.Parallel()
	addr, roots := startTLS(t)
	url, keys := "rediss://:"+e2etest.RedisPassword+"@"+addr, ticket.RandomKeys()
	join := func(serve answerer) *member {
		a, err := parseAddress(url, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.TLSConfig.RootCAs = roots
		log := &instance{}
		s := &Store{server: a, log: slog.New(slog.NewTextHandler(log, nil))}
		s.client = s.connect(func(*redis.Options) {})
		eventually(t, "it listens", func() bool { return s.client.Ping(t.Context()).Err() == nil })
		m := &member{NewInstance(s, keys, s.log), s, log}
		m.Start(serve)
		t.Cleanup(func() {
			m.Close()
			s.Close()
		})
		return m
	}
	a, b := join(echo), join(nil)
	a.own(t, "s", nil)
	body := strings.Repeat("x", 3*pieceSize)
	if w, err := b.pass(t.Context(), t, "s", body); err != nil || w.Body.String() != body {
		t.Errorf("a call: %v, %d bytes", err, w.Body.Len())
	}
}

// The certificate must be of a known authority and for the host of the URL, and no connection goes on without one.
func TestUnknownCertificateIsRefused(t *testing.T) {
	t.Parallel()
	addr, roots := startTLS(t)
	_, port, _ := net.SplitHostPort(addr)
	for host, known := range map[string]*x509.CertPool{"127.0.0.1": nil, "localhost": roots} {
		a, err := parseAddress("rediss://:"+e2etest.RedisPassword+"@"+host+":"+port, nil)
		if err != nil {
			t.Fatal(err)
		}
		a.TLSConfig.RootCAs = known
		s := &Store{server: a, log: slog.New(slog.DiscardHandler)}
		s.client = s.connect(func(*redis.Options) {})
		defer s.Close()
		eventually(t, host+" is refused for its certificate", func() bool {
			_, err := s.Revoked(t.Context(), "x")
			return err != nil && strings.Contains(err.Error(), "x509: ")
		})
	}
}
