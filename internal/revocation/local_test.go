package revocation

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func revoke(t *testing.T, s Store, id string, until time.Time) {
	t.Helper()
	if err := s.Revoke(t.Context(), id, until); err != nil {
		t.Fatal(err)
	}
}

func isRevoked(t *testing.T, s Store, id string) bool {
	t.Helper()
	yes, err := s.Revoked(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return yes
}

func TestRevokedIDIsForgottenWhenItIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLocal(maxLocal, slog.New(slog.DiscardHandler))
		revoke(t, l, "a", time.Now().Add(time.Minute))
		revoke(t, l, "a", time.Now().Add(time.Hour))
		revoke(t, l, "a", time.Now().Add(time.Second))
		revoke(t, l, "over", time.Now().Add(-time.Second))
		for _, tt := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {time.Hour - time.Second, true}, {time.Second, false}} {
			time.Sleep(tt.after)
			if got := isRevoked(t, l, "a"); got != tt.want {
				t.Errorf("after %v more: revoked %v, want %v", tt.after, got, tt.want)
			}
		}
		if isRevoked(t, l, "b") || isRevoked(t, l, "over") {
			t.Error("an id is revoked that is not")
		}
		revoke(t, l, "c", time.Now().Add(time.Minute))
		if n := len(l.until); n != 1 || len(l.order) != 1 {
			t.Errorf("%d ids in %d places are remembered, want 1", n, len(l.order))
		}
	})
}

func TestOldestGoesFirstWhenThereAreTooMany(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l := newLocal(10, slog.New(slog.NewTextHandler(&log, nil)))
	until := time.Now().Add(time.Hour)
	for i := range 12 {
		revoke(t, l, fmt.Sprint("id", i), until)
	}
	for i := range 12 {
		if got, want := isRevoked(t, l, fmt.Sprint("id", i)), i >= 2; got != want {
			t.Errorf("id %d: revoked %v, want %v", i, got, want)
		}
	}
	if n := strings.Count(log.String(), "forgotten before its time"); n != 2 || strings.Contains(log.String(), "id1") {
		t.Errorf("logged %d times, want 2:\n%s", n, &log)
	}
}

func TestURLIsNotInItsError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"redis://user:hunter2@host:port/0", "redis://:hun/ter2@host:6379", "rediss://u:hunter2@h:1/x", "http://hunter2", "hunter2",
		"redis://u:p@h:1?hunter2=1", "redis://u:hunter2%zz@h:1", "redis:// hunter2@h", "\x00hunter2", "redis://u:p?hunter2@host", "unix://hunter2",
	} {
		s, err := Open(url, slog.New(slog.DiscardHandler))
		if err == nil {
			s.Close()
			if strings.HasPrefix(url, "unix:") {
				continue // the library takes it
			}
			t.Errorf("%q is taken", url)
		} else if strings.Contains(err.Error(), "unter2") || strings.Contains(err.Error(), "hun/") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// Nobody listens there. What is revoked here must be so at once, and the rest is not known.
func TestRedisThatIsDownIsNoAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s, err := Open("redis://:hunter2@"+listener.Addr().String(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := time.Now()
	err = s.Revoke(t.Context(), "a", time.Now().Add(time.Hour))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("revoking: %v, want an error without the password", err)
	}
	if yes, err := s.Revoked(t.Context(), "a"); !yes || err != nil {
		t.Errorf("what was revoked here: %v, %v", yes, err)
	}
	if yes, err := s.Revoked(t.Context(), "b"); yes || err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("what others may have revoked: %v, %v, want an error without the password", yes, err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestUntoldRevocationsAreBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, err := newShared("redis://127.0.0.1:1", newLocal(10, slog.New(slog.DiscardHandler)), slog.New(slog.NewTextHandler(&log, nil)))
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
