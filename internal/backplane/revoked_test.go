package backplane

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func TestURLIsNotInItsError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "redis://user:hunter2@host:port/0", "redis://:hun/ter2@host:6379", "rediss://u:hunter2@h:1/x", "http://hunter2", "hunter2",
		"redis://u:p@h:1?hunter2=1", "redis://u:hunter2%zz@h:1", "redis:// hunter2@h", "\x00hunter2", "redis://u:p?hunter2@host",
	} {
		s, err := Open(url, slog.New(slog.DiscardHandler), nil)
		if err == nil {
			s.Close()
			t.Errorf("%q is taken", url)
		} else if strings.Contains(err.Error(), "unter2") || strings.Contains(err.Error(), "hun/") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// Nobody listens there.
func TestRedisThatIsDownIsNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s, err := Open("redis://:hunter2@"+listener.Addr().String(), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err = s.Revoke(t.Context(), "a", time.Now().Add(time.Hour)); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("revoking: %v, want an error without the password", err)
	}
	if yes, err := s.Revoked(t.Context(), "b"); yes || err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("asking: %v, %v, want an error without the password", yes, err)
	}
	if len(s.untold) != 1 {
		t.Errorf("%d revocations are kept, want 1", len(s.untold))
	}
}

func TestUntoldRevocationsAreBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, err := Open("redis://127.0.0.1:1", slog.New(slog.NewTextHandler(&log, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range maxUntold + 1 {
		s.keep(revoked{digestOf(fmt.Sprint(i)), time.Now()})
	}
	if len(s.untold) != maxUntold || s.untold[0].digest != digestOf("1") {
		t.Errorf("%d are kept, want %d without the oldest", len(s.untold), maxUntold)
	}
	if !strings.Contains(log.String(), "too many wait") {
		t.Errorf("logged %q", &log)
	}
}
