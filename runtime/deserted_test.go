package mcpfunc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// playHost is the Functions host as far as its end goes: it starts the handler and does no more.
func playHost() {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RUNTIME_TEST_HOST=", "RUNTIME_TEST_APP=1")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	_ = cmd.Wait()
}

// playApp is a handler with a server that ends with its input, and one that takes no hint.
func playApp() {
	mark := map[string]string{"RUNTIME_TEST_MARK": os.Getenv("RUNTIME_TEST_MARK")}
	fake := self("fake")
	for name, value := range mark {
		fake.Env[name] = value
	}
	deaf := Server{Name: "deaf", Command: "sh", Args: []string{"-c", "trap '' TERM INT HUP; while :; do sleep 1; done"}, Env: mark}
	a, err := New(&Config{Servers: []Server{fake, deaf}}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println("ended:", a.ListenAndServe(context.Background(), FunctionsAddr()))
}
