//go:build !linux

package process

import "errors"

// A ForkServer forks children: see fork_linux.go. Other systems have none.
type ForkServer struct{ *Child }

// StartForkServer fails.
func (s *Supervisor) StartForkServer(Spec, [][]byte) (*ForkServer, error) {
	return nil, errors.ErrUnsupported
}

// Ready fails.
func (f *ForkServer) Ready() ([]byte, error) { return nil, errors.ErrUnsupported }

// Fork fails.
func (f *ForkServer) Fork(Spec) (*Child, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (f *ForkServer) Close() {}
