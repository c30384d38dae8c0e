package process

import (
	"os"
	"syscall"
	"testing"

	"github.com/mcpfunc/mcpfunc/internal/testlimit"
)

// Pages that are shared count once: this process and a fork of it would be twice as large otherwise.
func TestSharedPagesCountOnce(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	const size = 32 << 20
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	var maps [2][]byte
	for i := range maps { // the same pages twice: each map is half of them
		if maps[i], err = syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED|syscall.MAP_POPULATE); err != nil {
			t.Fatal(err)
		}
		defer syscall.Munmap(maps[i])
	}
	self, ok := inspect(os.Getpid(), make([]byte, statBytes))
	if !ok {
		t.Fatal("this process is not to be seen")
	}
	sizes := new(shares).measure([]process{self})
	pss, readable := proportional(self.pid)
	if !readable {
		testlimit.Lack(t, "the kernel does not tell")
	}
	if sizes[0] > self.resident-size/2 || sizes[0] > pss+size/4 {
		t.Errorf("%d MB of %d that are resident, where %d are shared", sizes[0]>>20, self.resident>>20, size>>20)
	}
}

// What was read a moment ago is not read again, and a process that may not be read counts in full.
func TestSharesAreReadSeldom(t *testing.T) {
	t.Parallel()
	var s shares
	none := process{pid: 1 << 30, started: 1, resident: 1000}
	if got := s.measure([]process{none}); got[0] != 1000 {
		t.Errorf("one that may not be read counts %d, want 1000", got[0])
	}
	self, _ := inspect(os.Getpid(), make([]byte, statBytes))
	if _, readable := proportional(self.pid); !readable {
		testlimit.Lack(t, "the kernel does not tell")
	}
	s.measure([]process{self})
	key := shareKey{self.pid, self.started}
	k := s.known[key]
	k.bytes, k.resident = 7000, 8000
	s.known[key] = k
	again := self
	again.resident = 8100
	if got := s.measure([]process{again}); got[0] != 7100 {
		t.Errorf("soon after, with 100 bytes more, it counts %d, want 7100", got[0])
	}
}
