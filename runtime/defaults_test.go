package mcpfunc

import (
	"log/slog"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Zero is the default and a negative value means no limit, for every number and duration that is a limit.
func TestZeroIsTheDefaultAndNegativeIsNone(t *testing.T) {
	t.Parallel()
	negative := func(settings any) {
		value := reflect.ValueOf(settings).Elem()
		for i := range value.NumField() {
			if field := value.Field(i); field.CanSet() && field.CanInt() && field.Type() != reflect.TypeFor[slog.Level]() {
				field.SetInt(-1)
			}
		}
	}
	ignore := cmpopts.IgnoreUnexported(Options{}, Config{}, Server{})

	zero := Options{}.withDefaults()
	if diff := cmp.Diff(Options{Prefix: "/api", Launcher: ExecLauncher{}, Grace: 3 * time.Second, Drain: 10 * time.Second, StreamLimit: 25 * time.Minute}, zero, ignore); diff != "" {
		t.Errorf("zero Options (-want +got):\n%s", diff)
	}
	var o Options
	negative(&o)
	if diff := cmp.Diff(Options{Prefix: "/api", Launcher: ExecLauncher{}, StreamLimit: never, Starts: math.MaxInt32}, o.withDefaults(), ignore); diff != "" {
		t.Errorf("negative Options (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(Config{MaxRequestBytes: 32 << 20, MaxResponseBytes: 64 << 20, Keepalive: 20 * time.Second}, Config{}.withDefaults(zero), ignore); diff != "" {
		t.Errorf("zero Config (-want +got):\n%s", diff)
	}
	var c Config
	negative(&c)
	// Negative sizes are refused: there is always a limit.
	if diff := cmp.Diff(Config{MaxRequestBytes: -1, MaxResponseBytes: -1, Keepalive: zero.StreamLimit}, c.withDefaults(zero), ignore); diff != "" {
		t.Errorf("negative Config (-want +got):\n%s", diff)
	}

	if diff := cmp.Diff(Server{
		StartTimeout: 30 * time.Second, MaxRestarts: 3, Framing: "auto", IdleTimeout: time.Hour, HibernateAfter: 5 * time.Minute,
		MaxAge: 24 * time.Hour, MaxPerCaller: 8,
	}, Server{}.withDefaults(), ignore); diff != "" {
		t.Errorf("zero Server (-want +got):\n%s", diff)
	}
	var s Server
	negative(&s)
	if diff := cmp.Diff(Server{StartTimeout: never, Framing: "auto", IdleTimeout: never}, s.withDefaults(), ignore); diff != "" {
		t.Errorf("negative Server (-want +got):\n%s", diff)
	}
}
