//go:build profile

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
)

func init() { profile = record }

// record records a CPU profile from now on, and every allocation. The function that it returns
// writes them into dir.
func record(dir string) (done func(), err error) {
	runtime.MemProfileRate = 16 << 10
	cpu, err := os.Create(filepath.Join(dir, "cpu.pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		cpu.Close()
		allocs, err := os.Create(filepath.Join(dir, "allocs.pprof"))
		if err == nil {
			err = pprof.Lookup("allocs").WriteTo(allocs, 0)
			allocs.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "handler: write a profile:", err)
		}
	}, nil
}
